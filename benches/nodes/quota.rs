//! Servers with a part of a core each, as on small machines of their own. By the kernel's control groups, which take root.

use std::path::{Path, PathBuf};
use std::{fs, io};

/// How often the kernel gives out what a server may take: so that one that has used it up does not pause for long.
const PERIOD_MICROS: u32 = 10_000;

/// The groups, of the second version and of the first.
const SECOND: &str = "/sys/fs/cgroup";
const FIRST: &str = "/sys/fs/cgroup/cpu";

/// A process's own group, which goes when the process has gone.
pub(crate) struct Quota {
    folder: PathBuf,
}

impl Quota {
    /// Without a limit at first.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        let root = Path::new(if is_second() { SECOND } else { FIRST });
        if is_second() {
            fs::write(root.join("cgroup.subtree_control"), "+cpu")?;
        }
        let folder = root.join(format!("scoreboard-bench-{pid}"));
        fs::create_dir(&folder)?;
        let quota = Self { folder };
        fs::write(quota.folder.join("cgroup.procs"), pid.to_string())?;
        Ok(quota)
    }

    /// So much of a core from now on; `None` is all that there is.
    pub(crate) fn limit(&self, cores: Option<f64>) -> io::Result<()> {
        let micros = cores.map(|cores| (f64::from(PERIOD_MICROS) * cores) as u32);
        if is_second() {
            let micros = micros.map_or("max".to_owned(), |micros| micros.to_string());
            return fs::write(self.folder.join("cpu.max"), format!("{micros} {PERIOD_MICROS}"));
        }
        fs::write(self.folder.join("cpu.cfs_period_us"), PERIOD_MICROS.to_string())?;
        let micros = micros.map_or("-1".to_owned(), |micros| micros.to_string());
        fs::write(self.folder.join("cpu.cfs_quota_us"), micros)
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // A folder in the kernel's memory: it is gone with the next start of the machine at the latest.
        let _ = fs::remove_dir(&self.folder);
    }
}

fn is_second() -> bool {
    Path::new(SECOND).join("cgroup.controllers").exists()
}
