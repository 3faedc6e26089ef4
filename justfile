# Short names for what scripts/ does. `just verify` never writes; `just fix` does.

# List them.
default:
    @just --list

# Everything that must hold.
verify *steps:
    scripts/test {{ steps }}

# What a machine can put right by itself.
fix:
    cargo clippy --workspace --all-targets --all-features --fix --allow-dirty --allow-staged
    cargo fmt --all
    scripts/crates --write

# The reference server, with everything kept in ./scoreboard.db.
serve *flags:
    cargo run --release -p scoreboard-axum -- {{ flags }}
