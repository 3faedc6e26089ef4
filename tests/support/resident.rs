//! How much memory a process takes.

/// What a process holds in memory, in KiB.
pub(crate) fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("proc(5) has it");
    line.trim().trim_end_matches(" kB").trim().parse().expect("a number")
}
