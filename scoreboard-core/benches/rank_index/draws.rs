//! Who and how much: the same for both, from a seed.

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub(crate) struct Draws(pub(crate) u64);

impl Draws {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A score of a new board: exponential, 10,000 in the mean, so that at ten million users a thousand share each.
    pub(crate) fn score(&mut self) -> i64 {
        (-10_000.0 * (1.0 - self.unit()).ln()) as i64
    }
}

/// The id of the user with this number.
pub(crate) fn id(n: u64) -> [u8; 16] {
    let mut draws = Draws(n ^ 0x5EED_1D5E_ED1D);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&draws.next().to_be_bytes());
    id[8..].copy_from_slice(&draws.next().to_be_bytes());
    id
}

/// Which users are picked.
#[derive(Clone, Copy)]
pub(crate) enum Picks {
    Uniform,
    Zipf(Zipf),
}

/// Ranks drawn with a probability that falls as rank^-0.99 (Gray et al., *Quickly generating billion-record synthetic databases*, 1994).
#[derive(Clone, Copy)]
pub(crate) struct Zipf {
    zeta: f64,
    alpha: f64,
    eta: f64,
}

const THETA: f64 = 0.99;

impl Zipf {
    pub(crate) fn new(count: u64) -> Self {
        let zeta = (1..=count).map(|i| (i as f64).powf(-THETA)).sum::<f64>();
        let two = 1.0 + 0.5_f64.powf(THETA);
        let eta = (1.0 - (2.0 / count as f64).powf(1.0 - THETA)) / (1.0 - two / zeta);
        Self { zeta, alpha: 1.0 / (1.0 - THETA), eta }
    }
}

impl Picks {
    /// A user's number. The popular ones lie anywhere.
    pub(crate) fn draw(self, draws: &mut Draws, count: u64) -> u64 {
        match self {
            Self::Uniform => draws.below(count),
            Self::Zipf(Zipf { zeta, alpha, eta }) => {
                let u = draws.unit();
                let rank = if u * zeta < 1.0 {
                    0
                } else if u * zeta < 1.0 + 0.5_f64.powf(THETA) {
                    1
                } else {
                    (count as f64 * (eta * u - eta + 1.0).powf(alpha)) as u64
                };
                Draws(rank).below(count)
            }
        }
    }
}
