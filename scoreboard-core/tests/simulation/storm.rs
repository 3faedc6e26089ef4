//! What befalls machines and lines, by a seed.

use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use turmoil::Sim;

/// One thing that is broken, and until when.
#[derive(Debug, Clone)]
enum Broken {
    /// Nothing passes, either way.
    Line(String, String),
    /// Nothing passes from the first to the second.
    OneWay(String, String),
    /// What passes is kept back, and comes all at once.
    Held(String, String),
    /// The machine is down; it begins anew.
    Machine(String),
}

/// Breaks things and mends them.
#[derive(Debug)]
pub(crate) struct Storm {
    random: StdRng,
    machines: Vec<String>,
    broken: Vec<(Duration, Broken)>,
    next: Duration,
}

impl Storm {
    pub(crate) fn over(machines: Vec<String>, random: StdRng) -> Self {
        Self { random, machines, broken: Vec::new(), next: Duration::from_millis(300) }
    }

    /// What is due is mended, and something breaks now and then.
    pub(crate) fn blow(&mut self, sim: &mut Sim<'_>) {
        let now = sim.elapsed();
        let (over, broken) = self.broken.drain(..).partition(|(until, _)| *until <= now);
        self.broken = broken;
        over.into_iter().for_each(|(_, broken): (Duration, _)| broken.mend(sim));
        if now < self.next {
            return;
        }
        self.next = now + self.milliseconds(20..700);
        let broken = self.draw();
        if self.broken.iter().any(|(_, other)| other.is_of(&broken)) {
            return;
        }
        broken.begin(sim);
        let until = now + self.milliseconds(50..1_500);
        self.broken.push((until, broken));
    }

    /// It is over: all machines run, and all lines are good.
    pub(crate) fn end(&mut self, sim: &mut Sim<'_>) {
        self.broken.drain(..).for_each(|(_, broken)| broken.mend(sim));
        sim.set_fail_rate(0.0);
        for (at, a) in self.machines.iter().enumerate() {
            for b in &self.machines[at + 1..] {
                sim.repair(a.as_str(), b.as_str());
            }
        }
    }

    fn milliseconds(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(range))
    }

    fn draw(&mut self) -> Broken {
        let at = self.random.random_range(0..self.machines.len());
        let other = (at + self.random.random_range(1..self.machines.len())) % self.machines.len();
        let (a, b) = (self.machines[at].clone(), self.machines[other].clone());
        match self.random.random_range(0..6) {
            0 | 1 => Broken::Line(a, b),
            2 => Broken::OneWay(a, b),
            3 => Broken::Held(a, b),
            _ => Broken::Machine(a),
        }
    }
}

impl Broken {
    fn begin(&self, sim: &mut Sim<'_>) {
        match self {
            Self::Line(a, b) => sim.partition(a.as_str(), b.as_str()),
            Self::OneWay(a, b) => sim.partition_oneway(a.as_str(), b.as_str()),
            Self::Held(a, b) => sim.hold(a.as_str(), b.as_str()),
            Self::Machine(machine) => sim.crash(machine.as_str()),
        }
    }

    fn mend(&self, sim: &mut Sim<'_>) {
        match self {
            Self::Line(a, b) => sim.repair(a.as_str(), b.as_str()),
            Self::OneWay(a, b) => sim.repair_oneway(a.as_str(), b.as_str()),
            Self::Held(a, b) => sim.release(a.as_str(), b.as_str()),
            Self::Machine(machine) => sim.bounce(machine.as_str()),
        }
    }

    /// Whether both are of the same line or machine.
    fn is_of(&self, other: &Self) -> bool {
        match (self.line(), other.line()) {
            (Some((a, b)), Some((c, d))) => (a, b) == (c, d) || (a, b) == (d, c),
            (None, None) => matches!((self, other), (Self::Machine(one), Self::Machine(two)) if one == two),
            _ => false,
        }
    }

    fn line(&self) -> Option<(&str, &str)> {
        match self {
            Self::Line(a, b) | Self::OneWay(a, b) | Self::Held(a, b) => Some((a, b)),
            Self::Machine(_) => None,
        }
    }
}
