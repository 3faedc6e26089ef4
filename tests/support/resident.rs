//! How much memory a process takes.

/// What a process holds in memory, in KiB.
pub(crate) fn resident(pid: u32) -> u64 {
    status(pid, "VmRSS:")
}

/// What of it is the process' own, in KiB: what it has allocated. Pages of its program and of files it has read come and go as the system likes.
pub(crate) fn allocated(pid: u32) -> u64 {
    status(pid, "RssAnon:")
}

fn status(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("proc(5) has it");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}
