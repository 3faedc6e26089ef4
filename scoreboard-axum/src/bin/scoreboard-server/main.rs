//! `scoreboard-server`: the reference server, and the commands that work on its database.

mod admin;
mod archive;
mod cli;
mod demo;
mod failure;
mod files;
mod fraud;
mod key_watch;
mod keys;
mod lock;
mod logging;
mod messages;
mod nodes;
mod outside;
mod password;
mod place;
mod progress;
mod ranks;
mod sample;
mod serve;
mod settings;
mod signals;
mod store;
mod transfer;
mod verify;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command, ServeFlags};
use failure::{Failure, Result};
use settings::Effective;

/// A request makes some hundred small allocations, which the C library's allocator is slow at; `benches/http` shows it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() => {
            eprintln!("{}", in_one_line(&error.to_string()));
            return ExitCode::from(2);
        }
        // Help, or the version.
        Err(asked) => asked.exit(),
    };
    match run(cli) {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::from(failure.code())
        }
    }
}

/// What is wrong, and what would be right; not how to ask for help.
fn in_one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    told.collect::<Vec<_>>().join(" ")
}

fn run(cli: Cli) -> Result<ExitCode> {
    let Cli { common, serve, command } = cli;
    let command = command.unwrap_or_else(|| Command::Serve(ServeFlags::default()));
    let mut flags = common.settings();
    flags.extend(serve.settings());
    if let Command::Serve(own) | Command::Config(own) = &command {
        flags.extend(own.settings());
    }
    // A variable that is not Unicode cannot be one of ours: their names and values are.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let effective = Effective::load(&flags, environment, common.config.as_deref());
    // Whether `verify` found a difference must be told apart from whether it could look.
    let effective = match &command {
        Command::Verify { .. } => effective.map_err(|failure| failure.with_code(verify::CANNOT_TELL))?,
        _ => effective?,
    };

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::because("cannot start", &error))?;
    let ended = runtime.block_on(async {
        let settings = &effective.settings;
        if !matches!(command, Command::Serve(_)) {
            logging::start(settings.log, "warn");
        }
        match command {
            Command::Serve(_) => serve::run(&effective).await?,
            Command::Config(_) => progress::print(&effective.to_toml()?)?,
            Command::Admin(command) => admin::run(settings, command).await?,
            Command::Verify { board, archive, sign, head, public_key } => {
                let asked = verify::Asked { board, archive, sign, head, public_key };
                return verify::run(settings, asked).await;
            }
            Command::Export { file, without_users } => transfer::export::run(settings, &file, !without_users).await?,
            Command::Import { file } => transfer::import::run(settings, &file).await?,
            Command::Copy(flags) => transfer::copy::run(settings, &flags).await?,
            Command::Archive { older_than, to, dry_run } => archive::run(settings, older_than, to, dry_run).await?,
            Command::Demo(flags) => demo::run(flags).await?,
            Command::Watch(flags) => watch::run(&flags).await?,
        }
        Ok(ExitCode::SUCCESS)
    });
    // What still runs on a thread of its own, a password hash at most, holds nothing that must be kept.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    ended
}
