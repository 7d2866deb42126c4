//! A command at a terminal: a pseudo-terminal of a known width, on which a test reads and types as
//! a person would.

use std::fs::File;
use std::io::Read;
use std::io::Write;
use std::process::Child;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;
use std::time::Instant;

use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::process::Pid;
use rustix::process::Signal;
use rustix::process::kill_process;
use rustix::pty::OpenptFlags;
use rustix::termios::Winsize;

/// Longest that a command may take to say what is waited for, or to end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A command that runs at a terminal.
#[derive(Debug)]
pub struct Terminal {
    child: Child,
    keyboard: File,
    pieces: mpsc::Receiver<Vec<u8>>,
    shown: Vec<u8>,
}

impl Terminal {
    /// Starts `command` at a terminal of so many columns.
    ///
    /// # Panics
    /// When that does not work.
    pub fn start(mut command: Command, columns: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let ours = rustix::pty::openpt(flags).expect("a pseudo-terminal");
        rustix::pty::grantpt(&ours).expect("grant it");
        rustix::pty::unlockpt(&ours).expect("unlock it");
        let size = Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(&ours, size).expect("its size");
        let name = rustix::pty::ptsname(&ours, Vec::new()).expect("its name");
        let theirs = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
        let theirs = File::from(theirs.expect("its other side"));
        let side = || theirs.try_clone().expect("a descriptor");
        command.stdin(side()).stdout(side()).stderr(side());
        command.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        let child = command.spawn().expect("start the command");
        // Ours are closed, so that reading ends when the command does.
        drop(command);
        drop(theirs);
        let mut screen = File::from(ours);
        let keyboard = screen.try_clone().expect("a descriptor");
        let (tell, pieces) = mpsc::channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // Nobody on the other side any more is an error (EIO).
            while let Ok(read @ 1..) = screen.read(&mut piece) {
                if tell.send(piece[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { child, keyboard, pieces, shown: Vec::new() }
    }

    /// Waits until `text` is on the screen.
    ///
    /// # Panics
    /// When it does not appear.
    pub fn shows(&mut self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.screen().contains(text) {
            match self.pieces.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(piece) => self.shown.extend(piece),
                Err(_) => panic!("no `{text}` on the screen:\n{}", self.screen()),
            }
        }
    }

    /// Types a line.
    ///
    /// # Panics
    /// When nobody reads.
    pub fn types(&mut self, line: &str) {
        self.keyboard.write_all(format!("{line}\n").as_bytes()).expect("type");
    }

    /// What Ctrl-C does.
    ///
    /// # Panics
    /// When the command is no process any more.
    pub fn interrupt(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), Signal::INT).expect("interrupt it");
    }

    /// Waits for the end; the exit code, and all that was on the screen.
    ///
    /// # Panics
    /// When it does not end.
    pub fn ends(mut self) -> (i32, String) {
        let end = Instant::now() + PATIENCE;
        while let Ok(piece) =
            self.pieces.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            self.shown.extend(piece);
        }
        if Instant::now() > end {
            let _ = self.child.kill();
            panic!("it does not end:\n{}", self.screen());
        }
        let status = self.child.wait().expect("its end");
        (status.code().unwrap_or(-1), self.screen())
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.shown).replace("\r\n", "\n")
    }
}
