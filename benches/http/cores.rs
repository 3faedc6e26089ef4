//! Who runs on which core, and how busy it is there.

use std::fs;
use std::process::Command;
use std::time::Duration;

pub(crate) const SERVER: &str = "0";
pub(crate) const GENERATOR: &str = "1";

/// Linux counts processor time in hundredths of a second, whatever the kernel's own clock.
const TICKS_PER_SECOND: f64 = 100.0;

/// Keeps this process, which has one thread yet, on one core.
pub(crate) fn confine_to(core: &str) {
    let own = std::process::id().to_string();
    let output = Command::new("taskset").args(["-cp", core, &own]).output();
    let output = output.unwrap_or_else(|error| panic!("taskset (util-linux) is needed: {error}"));
    assert!(output.status.success(), "two cores are needed: {}", String::from_utf8_lossy(&output.stderr));
}

/// The processor time of a process, from a moment on.
pub(crate) struct Busy {
    pid: u32,
    ticks: f64,
}

impl Busy {
    pub(crate) fn start(pid: u32) -> Self {
        Self { pid, ticks: ticks(pid) }
    }

    /// The share of one core that it has used.
    pub(crate) fn share(&self, elapsed: Duration) -> f64 {
        (ticks(self.pid) - self.ticks) / TICKS_PER_SECOND / elapsed.as_secs_f64()
    }
}

/// User and system time, fields 14 and 15 of proc(5)'s `stat`; the name in field 2 may hold anything but ends at the last `)`.
fn ticks(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is running");
    let (_, behind_name) = stat.rsplit_once(')').expect("a name in brackets");
    let times = behind_name.split_whitespace().skip(11).take(2);
    times.map(|ticks| ticks.parse::<f64>().expect("a number")).sum()
}
