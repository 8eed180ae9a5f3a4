//! `chaos`: messages at a steady rate through the real executables, while these, PostgreSQL and Redis are killed, paused
//! and restarted and the channels fail; then a look at what people see. Fails when anything is lost, doubled, out of
//! order or with the wrong tenant.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the output of a command-line tool")]

mod check;
mod files;
mod model;
mod nemesis;
mod people;
mod queues;
mod role;
mod slack;
mod telegram;
mod tenant;
mod webchat;
mod whatsapp;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Parser;
use rand::SeedableRng;
use rand::rngs::StdRng;

use check::Report;
use nemesis::Nemesis;
use world::World;

/// Most lost messages that are looked for.
const LISTED: usize = 200;

#[derive(Clone, Debug, Parser)]
// `make test-chaos CHAOS=…` adds to what it gives itself: the last word counts.
#[command(name = "chaos", about = "Kills everything and counts what was lost", args_override_self = true)]
pub(crate) struct Args {
    /// The executable under test, a debug build: only that has fault points.
    #[arg(long, default_value = "target/debug/konstruct")]
    executable: PathBuf,
    #[arg(long, default_value_t = 500)]
    messages: u32,
    #[arg(long, default_value_t = 48)]
    conversations: usize,
    #[arg(long, default_value_t = 30)]
    kills: usize,
    /// Messages a second.
    #[arg(long, default_value_t = 12.0)]
    rate: f64,
    /// Decides what is killed when. Printed, to run the same again; the machine's own timing is not repeated.
    #[arg(long)]
    seed: Option<u64>,
    /// How long the last replies may take after the last message, in seconds. A reply whose sender was killed is in doubt
    /// until its lease has run out, a minute later.
    #[arg(long, default_value_t = 240)]
    patience: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let seed = args.seed.unwrap_or_else(rand::random);
    println!("seed {seed}");
    match run(&args, seed).await {
        Ok(report) => {
            println!("{report}");
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("chaos: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &Args, seed: u64) -> Result<Report> {
    let mut random = StdRng::seed_from_u64(seed);
    let world = Arc::new(World::start(args).await?);
    println!("everything runs; logs are in {}", world.logs().display());
    let nemesis = Nemesis::new(Arc::clone(&world), StdRng::from_rng(&mut random));
    let length = Duration::from_secs_f64(f64::from(args.messages) / args.rate);
    let began = Instant::now();
    let reports = tokio::spawn(whatsapp::report(Arc::clone(&world)));
    let all_written = AtomicBool::new(false);
    let writing = async {
        let written = people::write(&world, args, &mut random).await;
        all_written.store(true, Ordering::Relaxed);
        written
    };
    let (written, struck) = tokio::join!(writing, nemesis.strike(args.kills, length, &all_written));
    println!("{} messages after {:.0} s; {}", written.sent.len(), began.elapsed().as_secs_f64(), struck?);
    world.calm().await?;
    let report = people::read(&world, &written, Duration::from_secs(args.patience)).await?;
    reports.abort();
    for (token, places) in queues::whereabouts(&world, report.lost()).await.iter().take(LISTED) {
        println!("lost {token}: {places:?}");
    }
    if !report.is_clean() {
        world.keep_logs();
    }
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        let args = Args::try_parse_from(["chaos", "--kills", "500", "--messages", "10000", "--kills", "300"]);
        let Ok(Args { kills, messages, .. }) = args else { panic!("{args:?}") };
        assert_eq!((kills, messages), (300, 10_000));
    }
}
