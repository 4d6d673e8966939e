//! The redundancy checks of TS 102 225 §5.1.3.2: they tell a mistake in transmission, not an attacker.
//!
//! Both take the least significant bit of each byte first, start from ones and end inverted; annex B
//! gives 22EC and 470B99F4 for the bytes 01 to 05.

/// x^16 + x^12 + x^5 + 1, least significant term last.
const CRC16: u32 = 0x8408;
/// The polynomial of IEEE 802.3, least significant term last.
const CRC32: u32 = 0xEDB8_8320;

static TABLE16: [u32; 256] = table(CRC16);
static TABLE32: [u32; 256] = table(CRC32);

/// CRC 16 over a message.
#[must_use]
pub fn crc16(message: &[u8]) -> [u8; 2] {
    let [.., high, low] = (run(&TABLE16, 0xFFFF, message) ^ 0xFFFF).to_be_bytes();
    [high, low]
}

/// CRC 32 over a message.
#[must_use]
pub fn crc32(message: &[u8]) -> [u8; 4] {
    (run(&TABLE32, 0xFFFF_FFFF, message) ^ 0xFFFF_FFFF).to_be_bytes()
}

fn run(table: &[u32; 256], start: u32, message: &[u8]) -> u32 {
    message.iter().fold(start, |sum, byte| {
        let [low, ..] = sum.to_le_bytes();
        sum >> 8 ^ table[usize::from(low ^ byte)]
    })
}

const fn table(polynomial: u32) -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut sum = index as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ (polynomial * (sum & 1));
            bit += 1;
        }
        table[index] = sum;
        index += 1;
    }
    table
}
