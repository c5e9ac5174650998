//! A program that is measured.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::TaskError;
use crate::run::succeed;

/// A program in the background; it is ended when dropped.
pub(super) struct Program {
    process: Child,
    /// The process whose memory and time count.
    measured: u32,
    output: BufReader<ChildStdout>,
    log: Option<File>,
}

impl Program {
    pub(super) fn start(command: &mut Command) -> Result<Self, TaskError> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or("a program without output")?;
        Ok(Self {
            measured: process.id(),
            process,
            output: BufReader::new(output),
            log: None,
        })
    }

    /// Starts one whose log goes to a file, as it does where the program is installed.
    pub(super) fn start_logging(command: &mut Command, log: &Path) -> Result<Self, TaskError> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut program = Self::start(command.stderr(log.try_clone()?))?;
        program.log = Some(log);
        Ok(program)
    }

    /// Empties its log, which would fill the disk.
    pub(super) fn empty_log(&self) -> Result<(), TaskError> {
        Ok(self.log.as_ref().map_or(Ok(()), |log| log.set_len(0))?)
    }

    /// The next line that it prints.
    pub(super) fn line(&mut self) -> Result<String, TaskError> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("the program has ended".into());
        }
        Ok(line.trim_end().to_owned())
    }

    /// Counts another process's memory and time, which this one has started.
    pub(super) fn measure(&mut self, process: u32) {
        self.measured = process;
    }

    /// How much memory it has of its own in RAM now, in MiB.
    pub(super) fn memory(&self) -> Result<f64, TaskError> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.measured))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: f64 = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("no VmRSS")?
            .parse()?;
        Ok(kib / 1024.0)
    }

    /// How much of the processors' time it has taken so far, in seconds.
    pub(super) fn cpu(&self) -> Result<f64, TaskError> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.measured))?;
        // The name may hold anything, but ends with the last bracket.
        let (_, fields) = stat.rsplit_once(") ").ok_or("no stat")?;
        let ticks = |field: usize| -> Result<f64, TaskError> {
            Ok(fields.split(' ').nth(field).ok_or("no times")?.parse()?)
        };
        // `utime` and `stime`, in hundredths of a second on every Linux.
        Ok((ticks(11)? + ticks(12)?) / 100.0)
    }

    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Asks it to end, as an operator would, and waits until it has.
    pub(super) fn terminate(mut self) -> Result<(), TaskError> {
        succeed(Command::new("kill").arg(self.id().to_string()))?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // What serves others until its input ends has to tidy up; everything else is killed. When it has ended before,
        // there is nothing to end.
        drop(self.process.stdin.take());
        if self.measured == self.process.id() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// An address that is free now, and that nobody else is likely to take within the blink of an eye.
pub(super) fn free_address() -> Result<String, TaskError> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}
