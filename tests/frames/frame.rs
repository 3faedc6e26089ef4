//! Frames of RFC 6455 §5.2, right and wrong, as bytes.

/// Opcodes.
pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// What a client masks with. Any four bytes do; these make no byte stay what it was.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A frame as a client would send it, unless it is told otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
    is_final: bool,
    reserved: u8,
    masked: bool,
}

impl Frame {
    pub(crate) fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { opcode, payload: payload.into(), is_final: true, reserved: 0, masked: true }
    }

    pub(crate) fn text(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(TEXT, payload)
    }

    pub(crate) fn binary(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(BINARY, payload)
    }

    pub(crate) fn ping(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(PING, payload)
    }

    pub(crate) fn pong(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(PONG, payload)
    }

    /// What goes on with a message.
    pub(crate) fn continues(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(CONTINUATION, payload)
    }

    /// A close with this code, and what is said with it.
    pub(crate) fn close(code: u16, reason: impl AsRef<[u8]>) -> Self {
        Self::new(CLOSE, [&code.to_be_bytes(), reason.as_ref()].concat())
    }

    /// More follows.
    pub(crate) fn not_final(mut self) -> Self {
        self.is_final = false;
        self
    }

    /// With these three reserved bits.
    pub(crate) fn reserved(mut self, bits: u8) -> Self {
        self.reserved = bits;
        self
    }

    /// As only a server may send it.
    pub(crate) fn unmasked(mut self) -> Self {
        self.masked = false;
        self
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.is_final) << 7 | self.reserved << 4 | self.opcode];
        let masked = u8::from(self.masked) << 7;
        match self.payload.len() {
            short @ 0..=125 => bytes.push(masked | short as u8),
            long @ 126..=0xFFFF => {
                bytes.push(masked | 126);
                bytes.extend((long as u16).to_be_bytes());
            }
            longer => {
                bytes.push(masked | 127);
                bytes.extend((longer as u64).to_be_bytes());
            }
        }
        if self.masked {
            bytes.extend(MASK);
            bytes.extend(self.payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }
}

/// The bytes of frames, one behind the other.
pub(crate) fn encoded(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::encode).collect()
}

/// One message in frames of `size` bytes.
pub(crate) fn fragments(opcode: u8, payload: &[u8], size: usize) -> Vec<Frame> {
    let pieces: Vec<_> = payload.chunks(size).collect();
    let last = pieces.len() - 1;
    let frame = |(at, piece): (usize, &&[u8])| {
        let frame = Frame::new(if at == 0 { opcode } else { CONTINUATION }, piece.to_vec());
        if at == last { frame } else { frame.not_final() }
    };
    pieces.iter().enumerate().map(frame).collect()
}
