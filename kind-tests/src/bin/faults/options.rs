//! `faults [--errors | --watches | --restarts | --failover | --sequences N [--seed SEED]] [--every N] [SCENARIO...]`

use std::str::FromStr;

use anyhow::{Context, Result, bail};

use crate::fault::{ERRORS, Fault, KILLS, RESTARTS, WATCHES};
use crate::scenario::Scenario;

pub(crate) struct Options {
    pub(crate) what: What,
    pub(crate) faults: Vec<Fault>,
    /// Only each n-th of all points, for a smoke test.
    pub(crate) every: usize,
    pub(crate) scenarios: Vec<Scenario>,
    /// Of the first sequence; each has the next number.
    pub(crate) seed: u64,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum What {
    /// One operator that is disturbed at each place.
    Points,
    /// Two replicas.
    Failover,
    /// Generated histories.
    Sequences(u64),
}

impl Options {
    pub(crate) fn read() -> Result<Self> {
        let mut options =
            Self { what: What::Points, faults: KILLS.to_vec(), every: 1, scenarios: Vec::new(), seed: 1 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--failover" => options.what = What::Failover,
                "--errors" => options.faults = ERRORS.to_vec(),
                "--watches" => options.faults = WATCHES.to_vec(),
                "--restarts" => options.faults = RESTARTS.to_vec(),
                "--every" => options.every = number(&argument, arguments.next())?,
                "--seed" => options.seed = number(&argument, arguments.next())?,
                "--sequences" => options.what = What::Sequences(number(&argument, arguments.next())?),
                name => match Scenario::ALL.into_iter().find(|scenario| scenario.name() == name) {
                    Some(scenario) => options.scenarios.push(scenario),
                    None => {
                        bail!("{name:?} is no scenario: there are {:?}", Scenario::ALL.map(Scenario::name))
                    }
                },
            }
        }
        if options.scenarios.is_empty() {
            options.scenarios = Scenario::ALL.to_vec();
        }
        Ok(options)
    }
}

fn number<N: FromStr + PartialOrd + From<u8>>(option: &str, text: Option<String>) -> Result<N> {
    text.and_then(|text| text.parse().ok())
        .filter(|number| *number > N::from(0))
        .with_context(|| format!("{option} needs a number above 0"))
}
