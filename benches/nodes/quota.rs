//! Servers with a part of a core each, as on small machines of their own. By the kernel's control groups, of the first version or of the second: it takes root, outside of a
//! container.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How often the kernel gives out what a server may take: so that one that has used it up does not pause for long.
const PERIOD_MICROS: u32 = 10_000;

/// The groups, of the second version and of the first.
const SECOND: &str = "/sys/fs/cgroup";
const FIRST: &str = "/sys/fs/cgroup/cpu";

/// What a process may take. Dropped, it is where it was before, and has as much as the others there.
pub(crate) struct Quota {
    pid: u32,
    group: PathBuf,
    before: PathBuf,
}

impl Quota {
    /// So much of a core for a process.
    pub(crate) fn of(pid: u32, cores: f64) -> io::Result<Self> {
        let is_second = Path::new(SECOND).join("cgroup.controllers").exists();
        let root = Path::new(if is_second { SECOND } else { FIRST });
        if is_second {
            write(&root.join("cgroup.subtree_control"), "+cpu")?;
        }
        let before = root.join(group_of(pid, is_second)?.trim_start_matches('/'));
        let group = root.join(format!("scoreboard-bench-{pid}"));
        fs::create_dir(&group).map_err(|error| at(&group, &error))?;
        let quota = Self { pid, group, before };
        let micros = (f64::from(PERIOD_MICROS) * cores) as u32;
        if is_second {
            write(&quota.group.join("cpu.max"), &format!("{micros} {PERIOD_MICROS}"))?;
        } else {
            write(&quota.group.join("cpu.cfs_period_us"), &PERIOD_MICROS.to_string())?;
            write(&quota.group.join("cpu.cfs_quota_us"), &micros.to_string())?;
        }
        write(&quota.group.join("cgroup.procs"), &pid.to_string())?;
        Ok(quota)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // Else it would keep the quota for good, and what is measured next would be wrong.
        write(&self.before.join("cgroup.procs"), &self.pid.to_string()).expect("a process goes back to where it was");
        fs::remove_dir(&self.group).expect("a group without processes can be removed");
    }
}

/// Which group a process is in.
fn group_of(pid: u32, is_second: bool) -> io::Result<String> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    // `0::/group` of the second version, `4:cpu,cpuacct:/group` of the first.
    let mut lines = groups.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let found =
        lines.find(|(names, _)| if is_second { names.is_empty() } else { names.split(',').any(|name| name == "cpu") });
    found.map(|(_, group)| group.to_owned()).ok_or_else(|| io::Error::other("the process is in no group"))
}

/// Into a file of the kernel's: what is not there is not made.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let written = OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
