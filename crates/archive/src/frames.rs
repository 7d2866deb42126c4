//! Compression in independent zstd frames on a few threads, and one that writes them: the output is
//! in order, memory is bounded by the frames in flight, and what does not shrink costs next to
//! nothing.

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

/// A frame, once it is compressed.
type Compressed = mpsc::Receiver<io::Result<Vec<u8>>>;

struct Job {
    plain: Vec<u8>,
    reply: mpsc::SyncSender<io::Result<Vec<u8>>>,
}

/// Compresses what is written to it.
pub(crate) struct FrameWriter<W> {
    buffer: Vec<u8>,
    jobs: mpsc::SyncSender<Job>,
    /// Frames in their order.
    frames: mpsc::SyncSender<Compressed>,
    threads: Vec<JoinHandle<()>>,
    /// `None` once its failure was told.
    writer: Option<JoinHandle<io::Result<W>>>,
}

impl<W: Write + Send + 'static> FrameWriter<W> {
    /// A writer with so many threads (at least 1) that compress.
    pub(crate) fn new(out: W, threads: usize) -> io::Result<Self> {
        let count = threads.max(1);
        let (jobs, queue) = mpsc::sync_channel::<Job>(1);
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..count)
            .map(|_| {
                let queue = Arc::clone(&queue);
                std::thread::Builder::new()
                    .name("archive-compress".to_owned())
                    .spawn(move || work(&queue))
            })
            .collect::<io::Result<Vec<_>>>()?;
        let (frames, ready) = mpsc::sync_channel(count);
        let writer = std::thread::Builder::new()
            .name("archive-write".to_owned())
            .spawn(move || write(out, &ready))?;
        let buffer = Vec::with_capacity(FRAME);
        Ok(Self { buffer, jobs, frames, threads, writer: Some(writer) })
    }

    fn submit(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let plain = std::mem::replace(&mut self.buffer, Vec::with_capacity(FRAME));
        let (reply, answer) = mpsc::sync_channel(1);
        let sent = self.jobs.send(Job { plain, reply }).is_ok();
        if sent && self.frames.send(answer).is_ok() {
            return Ok(());
        }
        // The stream below fails, or a thread ended: the writer knows.
        let failed = self.writer.take().map(|writer| join(writer)?.map(drop));
        Err(failed.and_then(Result::err).unwrap_or_else(ended))
    }

    /// Writes what is left and gives the stream below back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.submit()?;
        let Self { jobs, frames, threads, writer, .. } = self;
        drop((jobs, frames));
        for thread in threads {
            join(thread)?;
        }
        join(writer.ok_or_else(ended)?)?
    }
}

fn ended() -> io::Error {
    io::Error::other("a thread that writes the archive ended early")
}

fn join<T>(thread: JoinHandle<T>) -> io::Result<T> {
    thread.join().map_err(|_| io::Error::other("a thread that writes the archive panicked"))
}

impl<W: Write + Send + 'static> Write for FrameWriter<W> {
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

/// Writes frames in their order until there are no more.
fn write<W: Write>(mut out: W, frames: &mpsc::Receiver<Compressed>) -> io::Result<W> {
    for frame in frames {
        out.write_all(&frame.recv().map_err(|_| ended())??)?;
    }
    out.flush()?;
    Ok(out)
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
    fn a_stream_that_takes_no_more_is_told() {
        struct Full(usize);
        impl Write for Full {
            fn write(&mut self, data: &[u8]) -> io::Result<usize> {
                self.0 = self.0.checked_sub(data.len()).ok_or(io::ErrorKind::StorageFull)?;
                Ok(data.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut state = 7_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        })
        .take(FRAME)
        .collect();
        let mut writer = FrameWriter::new(Full(2 * FRAME), 2).unwrap();
        let failed = (0..100).find_map(|_| writer.write_all(&noise).err()).unwrap();
        assert_eq!(failed.kind(), io::ErrorKind::StorageFull);
        assert!(writer.finish().is_err());
        // Also when it is only seen at the end.
        let mut writer = FrameWriter::new(Full(10), 2).unwrap();
        writer.write_all(&noise[..1_000]).unwrap();
        assert_eq!(writer.finish().err().unwrap().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn nothing_is_an_empty_stream() {
        assert_eq!(FrameWriter::new(Vec::new(), 1).unwrap().finish().unwrap(), b"");
    }
}
