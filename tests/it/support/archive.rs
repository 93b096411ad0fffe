//! Tar archives built field by field, valid and invalid.

/// An archive under construction.
#[derive(Debug, Clone, Default)]
pub struct Archive(Vec<u8>);

/// The fields of a header, except for the name.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    pub kind: u8,
    pub mode: u32,
    pub user: u32,
    pub group: u32,
    pub target: &'a [u8],
    pub magic: &'a [u8; 8],
}

pub const USTAR: &[u8; 8] = b"ustar\x0000";
pub const GNU: &[u8; 8] = b"ustar  \0";
pub const OLD: &[u8; 8] = &[0; 8];

impl Default for Fields<'_> {
    fn default() -> Self {
        Self { kind: b'0', mode: 0o755, user: 0, group: 0, target: b"", magic: USTAR }
    }
}

impl Archive {
    pub fn file(self, name: &str, data: &[u8]) -> Self {
        self.entry(name.as_bytes(), Fields::default(), data)
    }

    pub fn directory(self, name: &str) -> Self {
        self.entry(name.as_bytes(), Fields { kind: b'5', ..Fields::default() }, b"")
    }

    pub fn link(self, name: &str, target: &str) -> Self {
        self.entry(name.as_bytes(), Fields { kind: b'2', target: target.as_bytes(), ..Fields::default() }, b"")
    }

    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.entry(name.as_bytes(), Fields { kind: b'1', target: target.as_bytes(), ..Fields::default() }, b"")
    }

    /// Adds pax records for the next entry.
    pub fn pax(self, records: &[(&str, &[u8])]) -> Self {
        let mut data = Vec::new();
        for (key, value) in records {
            let rest = [b" ", key.as_bytes(), b"=", value, b"\n"].concat();
            let digits = (1..).find(|digits| (rest.len() + digits).to_string().len() == *digits).unwrap();
            data.extend((rest.len() + digits).to_string().bytes().chain(rest));
        }
        self.entry(b"PaxHeaders/x", Fields { kind: b'x', ..Fields::default() }, &data)
    }

    pub fn entry(self, name: &[u8], fields: Fields<'_>, data: &[u8]) -> Self {
        self.block(name, fields, data.len() as u64, |_| ()).data(data)
    }

    /// Adds a header alone; `more` may change it.
    pub fn block(mut self, name: &[u8], fields: Fields<'_>, size: u64, more: impl FnOnce(&mut [u8; 512])) -> Self {
        let mut block = [0; 512];
        block[..name.len()].copy_from_slice(name);
        block[100..108].copy_from_slice(format!("{:07o}\0", fields.mode).as_bytes());
        block[108..116].copy_from_slice(format!("{:07o}\0", fields.user).as_bytes());
        block[116..124].copy_from_slice(format!("{:07o}\0", fields.group).as_bytes());
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[136..148].copy_from_slice(b"00000000000\0");
        block[156] = fields.kind;
        block[157..157 + fields.target.len()].copy_from_slice(fields.target);
        block[257..265].copy_from_slice(fields.magic);
        more(&mut block);
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend(block);
        self
    }

    /// Adds data, padded to whole blocks.
    pub fn data(mut self, data: &[u8]) -> Self {
        self.0.extend(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// The archive with the two blocks that end it.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        self.0
    }
}
