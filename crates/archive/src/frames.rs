//! Compression in independent zstd frames on a few threads: the output is in order, memory is
//! bounded by the frames in flight, and what does not shrink costs next to nothing.

use std::collections::VecDeque;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread::JoinHandle;

/// Input of one frame, in bytes.
pub(crate) const FRAME: usize = 4 * 1024 * 1024;
/// Level for what shrinks: zstd's own default.
const LEVEL: i32 = 3;
/// Level for what does not (images, films, archives): zstd then stores blocks as they are.
const LEVEL_STORED: i32 = -7;
/// Samples of a frame that are tried to know which it is, and their size in bytes.
const SAMPLES: usize = 4;
const SAMPLE: usize = 16 * 1024;

struct Job {
    plain: Vec<u8>,
    reply: mpsc::SyncSender<io::Result<Vec<u8>>>,
}

/// Compresses what is written to it.
pub(crate) struct FrameWriter<W: Write> {
    out: W,
    buffer: Vec<u8>,
    pending: VecDeque<mpsc::Receiver<io::Result<Vec<u8>>>>,
    jobs: Option<mpsc::SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl<W: Write> FrameWriter<W> {
    /// A writer with so many threads (at least 1).
    pub(crate) fn new(out: W, threads: usize) -> io::Result<Self> {
        let (jobs, queue) = mpsc::sync_channel::<Job>(1);
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..threads.max(1))
            .map(|_| {
                let queue = Arc::clone(&queue);
                std::thread::Builder::new()
                    .name("archive-compress".to_owned())
                    .spawn(move || work(&queue))
            })
            .collect::<io::Result<Vec<_>>>()?;
        let buffer = Vec::with_capacity(FRAME);
        Ok(Self { out, buffer, pending: VecDeque::new(), jobs: Some(jobs), threads })
    }

    fn submit(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let plain = std::mem::replace(&mut self.buffer, Vec::with_capacity(FRAME));
        let (reply, answer) = mpsc::sync_channel(1);
        let gone = || io::Error::other("a compressing thread ended");
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Job { plain, reply }).map_err(|_| gone())?;
        self.pending.push_back(answer);
        while self.pending.len() > self.threads.len() + 1 {
            self.take()?;
        }
        Ok(())
    }

    fn take(&mut self) -> io::Result<()> {
        let Some(answer) = self.pending.pop_front() else { return Ok(()) };
        let frame =
            answer.recv().map_err(|_| io::Error::other("a compressing thread ended early"))??;
        self.out.write_all(&frame)
    }

    /// Writes what is left and gives the stream below back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.submit()?;
        while !self.pending.is_empty() {
            self.take()?;
        }
        self.jobs = None;
        for thread in self.threads {
            thread.join().map_err(|_| io::Error::other("a compressing thread panicked"))?;
        }
        self.out.flush()?;
        Ok(self.out)
    }
}

impl<W: Write> Write for FrameWriter<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let room = (FRAME - self.buffer.len()).min(data.len());
        self.buffer.extend_from_slice(data.get(..room).unwrap_or_default());
        if self.buffer.len() == FRAME {
            self.submit()?;
        }
        Ok(room)
    }

    /// A frame is written when it is full; there is nothing to force.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn work(queue: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        // Held only while waiting: the sender hands over one frame at a time.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // Whoever asked may have given up.
        let _ = job.reply.send(compress(&job.plain));
    }
}

fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
    let level = if shrinks(plain)? { LEVEL } else { LEVEL_STORED };
    let mut compressor = zstd::bulk::Compressor::new(level)?;
    // The frame says its plain size; its own checksum finds damage where it is.
    compressor.include_checksum(true)?;
    compressor.compress(plain)
}

/// Whether a few samples of it get smaller by a twentieth.
fn shrinks(plain: &[u8]) -> io::Result<bool> {
    if plain.len() <= SAMPLE * SAMPLES {
        return Ok(true);
    }
    let (mut before, mut after) = (0, 0);
    for index in 0..SAMPLES {
        let start = (plain.len() - SAMPLE) / (SAMPLES - 1) * index;
        let sample = plain.get(start..start + SAMPLE).unwrap_or_default();
        before += sample.len();
        after += zstd::bulk::compress(sample, 1)?.len();
    }
    Ok(after * 20 < before * 19)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_out_is_what_went_in_for_any_tool() {
        let mut plain: Vec<u8> = b"loaf ".repeat(2 * FRAME / 5);
        let mut state = 7_u64;
        plain.extend((0..2 * FRAME + 3).map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        }));
        let mut writer = FrameWriter::new(Vec::new(), 2).unwrap();
        writer.write_all(&plain).unwrap();
        let out = writer.finish().unwrap();
        assert!(out.len() > 2 * FRAME && out.len() < 2 * FRAME + FRAME / 10, "{}", out.len());
        assert_eq!(zstd::stream::decode_all(&*out).unwrap(), plain);
    }

    #[test]
    fn nothing_is_an_empty_stream() {
        assert_eq!(FrameWriter::new(Vec::new(), 1).unwrap().finish().unwrap(), b"");
    }
}
