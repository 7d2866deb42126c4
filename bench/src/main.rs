//! The benchmarks of AIPress: each starts the real platform and its named peers on a data folder
//! and ports of its own, measures them in turn, prints a table, writes JSON, and stops everything.
//!
//! What a figure is, is said in `measuring.md`: a ratio to a peer in the same run, with median,
//! minimum and maximum. No benchmark fails a build: a missed floor is shown, not raised. An answer
//! that is wrong is an error, since a figure made of wrong answers says nothing.

mod args;
mod audit;
mod client;
mod cold;
mod cores;
mod create;
mod cron;
mod events;
mod idle;
mod list;
mod machine;
mod noise;
mod page;
mod peer;
mod platform;
mod processes;
mod report;
mod results;
mod scratch;
mod stats;
mod transfer;

use anyhow::Context;
use clap::Parser;

use crate::args::Args;
use crate::args::Options;
use crate::args::Verb;

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let (verbs, options): (&[Bench], Options) = match args.verb {
        Verb::Report(report) => return report::run(&report),
        Verb::All(options) => (&Bench::ALL, options),
        Verb::Create(options) => (&[Bench::Create], options),
        Verb::Page(options) => (&[Bench::Page], options),
        Verb::Idle(options) => (&[Bench::Idle], options),
        Verb::Cold(options) => (&[Bench::Cold], options),
        Verb::Cron(options) => (&[Bench::Cron], options),
        Verb::Audit(options) => (&[Bench::Audit], options),
        Verb::List(options) => (&[Bench::List], options),
        Verb::Events(options) => (&[Bench::Events], options),
        Verb::Noise(options) => (&[Bench::Noise], options),
        Verb::Transfer(options) => (&[Bench::Transfer], options),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("start the runtime")?;
    for bench in verbs {
        runtime.block_on(interruptible(*bench, &options))?;
    }
    Ok(())
}

/// One benchmark.
#[derive(Debug, Clone, Copy)]
enum Bench {
    Audit,
    Create,
    Page,
    Idle,
    Cold,
    Cron,
    List,
    Events,
    Noise,
    Transfer,
}

impl Bench {
    const ALL: [Self; 10] = [
        Self::Audit,
        Self::Create,
        Self::Page,
        Self::Idle,
        Self::Cold,
        Self::Cron,
        Self::List,
        Self::Events,
        Self::Noise,
        Self::Transfer,
    ];

    async fn run(self, options: &Options) -> anyhow::Result<()> {
        let run = match self {
            Self::Audit => audit::run(options).await?,
            Self::Create => create::run(options).await?,
            Self::Page => page::run(options).await?,
            Self::Idle => idle::run(options).await?,
            Self::Cold => cold::run(options).await?,
            Self::Cron => cron::run(options).await?,
            Self::List => list::run(options).await?,
            Self::Events => events::run(options).await?,
            Self::Noise => noise::run(options).await?,
            Self::Transfer => transfer::run(options).await?,
        };
        run.print();
        run.save(&options.results_dir())
    }
}

/// Runs it, and stops what it started also when it is told to end.
async fn interruptible(bench: Bench, options: &Options) -> anyhow::Result<()> {
    use tokio::signal::unix::SignalKind;
    use tokio::signal::unix::signal;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = bench.run(options) => result,
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("terminated"),
    }
}
