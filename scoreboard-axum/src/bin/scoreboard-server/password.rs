//! A password from whoever types it, or from a pipe: never from the command line, which others can read.

use std::io::{self, IsTerminal};

use console::Term;

use crate::failure::{Failure, Result};

/// Asks twice without showing what is typed; where standard input is no terminal, reads its first line.
pub(crate) fn read() -> Result<String> {
    let cannot = |error: io::Error| Failure::because("cannot read the password", &error);
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map_err(cannot)?;
        let password = line.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).unwrap_or(&line);
        if password.is_empty() {
            return Err(Failure::new("the password is read from the first line of standard input, which is empty"));
        }
        return Ok(password.to_owned());
    }
    let term = Term::stderr();
    if !term.is_term() {
        return Err(Failure::new("cannot ask for the password: standard error is no terminal"));
    }
    let ask = |prompt: &str| {
        term.write_str(prompt)?;
        term.read_secure_line()
    };
    let password = ask("Password: ").map_err(cannot)?;
    if ask("Once more: ").map_err(cannot)? != password {
        return Err(Failure::new("the two passwords are not the same"));
    }
    Ok(password)
}
