//! How busy the database is, by the system's own count.

use std::path::Path;

use crate::support::postgres::Server;

/// The CPU time of all processes of a database, from a moment on.
pub(crate) struct Busy<'s>(&'s Server, f64);

impl<'s> Busy<'s> {
    pub(crate) fn of(server: &'s Server) -> Self {
        Self(server, cpu_seconds(server))
    }

    pub(crate) fn seconds(&self) -> f64 {
        (cpu_seconds(self.0) - self.1).max(0.01)
    }
}

/// Of the first process, of its children that have ended, and of those that run: fields 4 and 14 to 17 of proc(5)'s `stat`.
fn cpu_seconds(server: &Server) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = std::fs::read_to_string(server.folder().join("pid")).expect("its number is written down");
    let first: u32 = text.trim().parse().expect("a number");
    let processes = std::fs::read_dir("/proc").expect("Linux").filter_map(|entry| stat(&entry.ok()?.path()));
    let ticks = processes.map(|(number, parent, own, ended)| match () {
        () if number == first => own + ended,
        () if parent == first => own,
        () => 0.0,
    });
    ticks.sum::<f64>() / TICKS_PER_SECOND
}

fn stat(folder: &Path) -> Option<(u32, u32, f64, f64)> {
    let number = folder.file_name()?.to_str()?.parse().ok()?;
    let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
    let (_, behind_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((number, fields.get(1)?.parse().ok()?, ticks(11)? + ticks(12)?, ticks(13)? + ticks(14)?))
}
