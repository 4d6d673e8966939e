//! The S-boxes as circuits: their four bits from six, by operations on whole words.
//!
//! Found by a randomised search of our own: a function that is wanted is looked for among the gates
//! there are and what two more make of them, and else split by one of the inputs, as Shannon's expansion
//! does. Why these gates and not others has no further reason; that they are the S-boxes is shown for all
//! inputs by the tests.
// Generated; a name has the number of its gate
#![cfg_attr(rustfmt, rustfmt_skip)]

#[inline(always)]
pub(super) fn s1([a, b, c, d, e, f]: [u64; 6]) -> [u64; 4] {
    let g0 = c & b; let g1 = g0 ^ d; let g2 = c ^ b; let g3 = g2 & e; let g4 = g1 ^ g3;
    let g5 = !g2; let g6 = g5 & !e; let g7 = b ^ g6; let g8 = g7 | d; let g9 = a ^ g8;
    let g10 = g9 & !a; let g11 = g4 ^ g10; let g12 = g11 ^ c; let g13 = g12 & !b;
    let g14 = g12 ^ a; let g15 = g14 | d; let g16 = g13 ^ g15; let g17 = g14 & g11;
    let g18 = g17 ^ g5; let g19 = g18 & e; let g20 = g16 ^ g19; let g21 = g20 | f;
    let g22 = g11 ^ g21; let g23 = g18 | g6; let g24 = g23 ^ g20; let g25 = g20 ^ a;
    let g26 = g2 & !g25; let g27 = g26 & d; let g28 = g24 ^ g27; let g29 = g25 | g9;
    let g30 = g29 ^ g22; let g31 = g25 | g12; let g32 = g31 ^ g7; let g33 = g32 & !e;
    let g34 = g30 ^ g33; let g35 = g34 | f; let g36 = g28 ^ g35; let g37 = g26 ^ f;
    let g38 = g37 ^ g1; let g39 = g38 ^ b; let g40 = g39 & !g21; let g41 = g40 & !c;
    let g42 = g38 ^ g41; let g43 = g39 | g24; let g44 = g43 ^ g32; let g45 = g42 | g7;
    let g46 = g45 ^ g24; let g47 = g46 & !f; let g48 = g44 ^ g47; let g49 = g48 & !e;
    let g50 = g42 ^ g49; let g51 = f & !g19; let g52 = g51 ^ g34; let g53 = g36 ^ g1;
    let g54 = g53 | g18; let g55 = g54 & b; let g56 = g52 ^ g55; let g57 = g49 ^ g7;
    let g58 = g57 ^ g44; let g59 = g51 | g22; let g60 = g59 ^ g16; let g61 = g60 | d;
    let g62 = g58 ^ g61; let g63 = g62 & !a; let g64 = g56 ^ g63;
    [g50, g22, g36, g64]
}

#[inline(always)]
pub(super) fn s2([a, b, c, d, e, f]: [u64; 6]) -> [u64; 4] {
    let g0 = !f; let g1 = a & !b; let g2 = g0 ^ g1; let g3 = a & !g2; let g4 = g3 ^ b;
    let g5 = g4 & e; let g6 = g2 ^ g5; let g7 = g5 ^ e; let g8 = g7 | b; let g9 = g8 & !d;
    let g10 = g6 ^ g9; let g11 = f | a; let g12 = g11 ^ g7; let g13 = g12 | a; let g14 = g13 | b;
    let g15 = g12 ^ g14; let g16 = g15 | c; let g17 = g10 ^ g16; let g18 = g16 & !g11;
    let g19 = g18 ^ c; let g20 = g17 & !g3; let g21 = g20 | e; let g22 = g19 ^ g21;
    let g23 = d & !g15; let g24 = g23 ^ g10; let g25 = g20 ^ c; let g26 = g25 | f;
    let g27 = g24 ^ g26; let g28 = g27 | b; let g29 = g22 ^ g28; let g30 = g29 ^ g20;
    let g31 = g30 & !g10; let g32 = g31 | g0; let g33 = g32 & !e; let g34 = g30 ^ g33;
    let g35 = g8 & !g32; let g36 = g35 & g10; let g37 = g36 & c; let g38 = g34 ^ g37;
    let g39 = g10 & e; let g40 = g39 ^ g0; let g41 = g12 & !g38; let g42 = g41 ^ g33;
    let g43 = g42 & !b; let g44 = g40 ^ g43; let g45 = g44 | a; let g46 = g38 ^ g45;
    let g47 = g45 & b; let g48 = g47 ^ g5; let g49 = g31 | a; let g50 = g49 ^ e;
    let g51 = g50 & d; let g52 = g48 ^ g51; let g53 = g29 & !g45; let g54 = g53 ^ g10;
    let g55 = g54 | b; let g56 = g10 ^ g55; let g57 = g56 | c; let g58 = g52 ^ g57;
    [g17, g46, g58, g29]
}

#[inline(always)]
pub(super) fn s3([a, b, c, d, e, f]: [u64; 6]) -> [u64; 4] {
    let g0 = f ^ c; let g1 = g0 ^ d; let g2 = g1 ^ e; let g3 = g0 & e; let g4 = c & !g3;
    let g5 = g4 & !b; let g6 = g2 ^ g5; let g7 = g3 ^ g2; let g8 = !b; let g9 = g6 & e;
    let g10 = g8 ^ g9; let g11 = g10 | c; let g12 = g7 ^ g11; let g13 = g8 | g1;
    let g14 = g13 ^ g4; let g15 = g14 ^ g12; let g16 = g15 | e; let g17 = g14 ^ g16;
    let g18 = g17 & d; let g19 = g12 ^ g18; let g20 = g19 | a; let g21 = g6 ^ g20;
    let g22 = g3 ^ b; let g23 = g21 & f; let g24 = g23 | d; let g25 = g24 & a;
    let g26 = g22 ^ g25; let g27 = g5 & a; let g28 = g27 ^ d; let g29 = a & !g26;
    let g30 = g29 | f; let g31 = g28 ^ g30; let g32 = g31 & !e; let g33 = g26 ^ g32;
    let g34 = g15 & !g2; let g35 = g34 ^ g8; let g36 = b & !g32; let g37 = g36 ^ g11;
    let g38 = g37 | d; let g39 = g35 ^ g38; let g40 = g39 ^ g2; let g41 = !g16;
    let g42 = g41 | b; let g43 = g40 ^ g42; let g44 = !g13; let g45 = g34 ^ g16;
    let g46 = g45 | c; let g47 = g44 ^ g46; let g48 = g47 | f; let g49 = g43 ^ g48;
    let g50 = g49 & !a; let g51 = g39 ^ g50; let g52 = g44 ^ g12; let g53 = g35 & !d;
    let g54 = g53 | f; let g55 = g52 ^ g54; let g56 = g33 & !g11; let g57 = g56 | a;
    let g58 = g55 ^ g57;
    [g21, g58, g51, g33]
}

#[inline(always)]
pub(super) fn s4([a, b, c, d, e, f]: [u64; 6]) -> [u64; 4] {
    let g0 = !c; let g1 = d | c; let g2 = g1 & b; let g3 = g0 ^ g2; let g4 = g0 | d;
    let g5 = g4 & !e; let g6 = g3 ^ g5; let g7 = g5 | g1; let g8 = g3 | e; let g9 = g8 & d;
    let g10 = g7 ^ g9; let g11 = g10 | b; let g12 = g7 ^ g11; let g13 = g12 | a;
    let g14 = g6 ^ g13; let g15 = g14 & a; let g16 = g15 ^ g0; let g17 = g13 ^ e;
    let g18 = g17 | d; let g19 = g16 ^ g18; let g20 = g16 & g8; let g21 = g20 | g14;
    let g22 = g21 & b; let g23 = g19 ^ g22; let g24 = g23 | f; let g25 = g14 ^ g24;
    let g26 = g23 ^ g0; let g27 = g26 ^ g9; let g28 = g26 ^ g5; let g29 = g28 & !g14;
    let g30 = g29 & !a; let g31 = g27 ^ g30; let g32 = g18 ^ g3; let g33 = g1 & !g32;
    let g34 = g22 ^ g1; let g35 = g34 ^ g13; let g36 = g35 | e; let g37 = g33 ^ g36;
    let g38 = g37 | f; let g39 = g31 ^ g38; let g40 = g25 ^ f; let g41 = g40 ^ g23;
    let g42 = g37 ^ g31; let g43 = g38 & !f; let g44 = g42 ^ g43;
    [g41, g25, g39, g44]
}

#[inline(always)]
pub(super) fn s5([a, b, c, d, e, f]: [u64; 6]) -> [u64; 4] {
    let g0 = d & !f; let g1 = !g0; let g2 = g1 ^ e; let g3 = g1 ^ d; let g4 = g3 ^ f;
    let g5 = g4 & b; let g6 = g2 ^ g5; let g7 = g6 ^ b; let g8 = g7 ^ d; let g9 = g6 | d;
    let g10 = g9 & !f; let g11 = g8 ^ g10; let g12 = g11 | c; let g13 = g6 ^ g12;
    let g14 = g11 ^ f; let g15 = g14 & !d; let g16 = g9 ^ e; let g17 = g16 | c;
    let g18 = g15 ^ g17; let g19 = g18 & !a; let g20 = g13 ^ g19; let g21 = g18 & g16;
    let g22 = !e; let g23 = g22 | c; let g24 = g21 ^ g23; let g25 = g22 & c; let g26 = g25 ^ g11;
    let g27 = g26 & !b; let g28 = g24 ^ g27; let g29 = g27 & !e; let g30 = g29 ^ c;
    let g31 = g28 | g13; let g32 = g31 & !c; let g33 = g32 | f; let g34 = g30 ^ g33;
    let g35 = g34 & !a; let g36 = g28 ^ g35; let g37 = g34 ^ g17; let g38 = g20 | g11;
    let g39 = g38 ^ e; let g40 = g39 | d; let g41 = g37 ^ g40; let g42 = g16 & !g37;
    let g43 = g42 ^ g27; let g44 = g14 & !g39; let g45 = g44 ^ g43; let g46 = g45 & !c;
    let g47 = g43 ^ g46; let g48 = g47 | a; let g49 = g41 ^ g48; let g50 = g43 & g31;
    let g51 = g50 ^ g18; let g52 = g40 & !b; let g53 = g52 ^ g43; let g54 = g53 | f;
    let g55 = g51 ^ g54; let g56 = g51 & !g8; let g57 = g56 ^ g13; let g58 = g26 ^ e;
    let g59 = g58 & b; let g60 = g57 ^ g59; let g61 = g60 & !a; let g62 = g55 ^ g61;
    [g62, g20, g36, g49]
}

#[inline(always)]
pub(super) fn s6([a, b, c, d, e, f]: [u64; 6]) -> [u64; 4] {
    let g0 = f ^ a; let g1 = g0 ^ b; let g2 = g1 & a; let g3 = g2 ^ b; let g4 = g3 & !c;
    let g5 = g1 ^ g4; let g6 = g5 ^ d; let g7 = g6 & g1; let g8 = g7 ^ f; let g9 = g0 & !g8;
    let g10 = g9 & a; let g11 = g8 ^ g10; let g12 = !g2; let g13 = b & f; let g14 = g12 ^ g13;
    let g15 = g14 & c; let g16 = g11 ^ g15; let g17 = g16 & e; let g18 = g6 ^ g17; let g19 = !d;
    let g20 = g19 | b; let g21 = g1 ^ g20; let g22 = g19 | g14; let g23 = g22 & e;
    let g24 = g21 ^ g23; let g25 = g19 ^ g18; let g26 = g11 & !g25; let g27 = g26 & !g23;
    let g28 = g25 | g24; let g29 = g28 ^ g7; let g30 = g29 | b; let g31 = g27 ^ g30;
    let g32 = g31 | a; let g33 = g26 ^ g32; let g34 = g33 & c; let g35 = g24 ^ g34;
    let g36 = g32 & b; let g37 = g36 ^ g6; let g38 = g12 | c; let g39 = g37 ^ g38;
    let g40 = g39 ^ g16; let g41 = g22 | c; let g42 = g40 ^ g41; let g43 = g42 | g2;
    let g44 = g43 & !g6; let g45 = g44 & !f; let g46 = g42 ^ g45; let g47 = g46 | e;
    let g48 = g39 ^ g47; let g49 = g35 & c; let g50 = g49 ^ g39; let g51 = g35 ^ g8;
    let g52 = g51 | d; let g53 = g50 ^ g52; let g54 = g19 & !g53; let g55 = g54 ^ g23;
    let g56 = g41 ^ c; let g57 = g56 ^ g26; let g58 = g57 | b; let g59 = g55 ^ g58;
    let g60 = g59 | a; let g61 = g53 ^ g60;
    [g48, g35, g18, g61]
}

#[inline(always)]
pub(super) fn s7([a, b, c, d, e, f]: [u64; 6]) -> [u64; 4] {
    let g0 = d & !e; let g1 = g0 ^ c; let g2 = e & !d; let g3 = g2 | b; let g4 = g1 ^ g3;
    let g5 = g4 ^ b; let g6 = g5 ^ g2; let g7 = g5 ^ g3; let g8 = g7 & c; let g9 = g6 ^ g8;
    let g10 = g9 | f; let g11 = g4 ^ g10; let g12 = g11 & f; let g13 = g12 & g9;
    let g14 = g9 & f; let g15 = g14 & !c; let g16 = g13 ^ g15; let g17 = g16 | a;
    let g18 = g11 ^ g17; let g19 = g6 ^ g4; let g20 = g19 | d; let g21 = g7 ^ g20;
    let g22 = g21 ^ g19; let g23 = c & !g22; let g24 = g23 | f; let g25 = g21 ^ g24;
    let g26 = g20 & f; let g27 = g6 & !g26; let g28 = g11 & !g0; let g29 = g28 | g2;
    let g30 = g29 | c; let g31 = g27 ^ g30; let g32 = g31 & a; let g33 = g25 ^ g32;
    let g34 = !g25; let g35 = d & !g32; let g36 = f & !g35; let g37 = g36 & b;
    let g38 = g34 ^ g37; let g39 = g35 & g18; let g40 = g36 ^ d; let g41 = g40 | b;
    let g42 = g39 ^ g41; let g43 = g37 | c; let g44 = g42 ^ g43; let g45 = g44 | a;
    let g46 = g38 ^ g45; let g47 = a & !g34; let g48 = g47 ^ g4; let g49 = g48 & !g46;
    let g50 = g49 | g36; let g51 = g50 & c; let g52 = g48 ^ g51; let g53 = g32 & !b;
    let g54 = g25 & !g50; let g55 = g54 | g26; let g56 = g55 | a; let g57 = g53 ^ g56;
    let g58 = g57 & e; let g59 = g52 ^ g58;
    [g33, g46, g59, g18]
}

#[inline(always)]
pub(super) fn s8([a, b, c, d, e, f]: [u64; 6]) -> [u64; 4] {
    let g0 = f ^ b; let g1 = g0 ^ d; let g2 = !e; let g3 = g2 & c; let g4 = g1 ^ g3;
    let g5 = g4 ^ c; let g6 = g5 ^ g2; let g7 = c & !g6; let g8 = g7 | b; let g9 = g6 ^ g8;
    let g10 = g9 | f; let g11 = g4 ^ g10; let g12 = g11 ^ g6; let g13 = e | d; let g14 = g13 ^ c;
    let g15 = g14 & b; let g16 = g12 ^ g15; let g17 = g16 & !a; let g18 = g11 ^ g17;
    let g19 = g18 ^ g6; let g20 = !a; let g21 = g20 | f; let g22 = g19 ^ g21; let g23 = g18 & f;
    let g24 = g23 ^ g20; let g25 = g24 & e; let g26 = g22 ^ g25; let g27 = g11 ^ e;
    let g28 = g24 | g14; let g29 = g28 ^ a; let g30 = g29 | f; let g31 = g27 ^ g30;
    let g32 = g31 & !b; let g33 = g26 ^ g32; let g34 = g24 | g9; let g35 = g34 ^ g27;
    let g36 = g17 ^ f; let g37 = g36 | a; let g38 = g35 ^ g37; let g39 = g38 ^ g23;
    let g40 = g22 & !g39; let g41 = g40 & a; let g42 = g14 ^ g41; let g43 = g42 & !b;
    let g44 = g38 ^ g43; let g45 = g31 | g4; let g46 = g45 ^ a; let g47 = g37 & !g16;
    let g48 = g47 ^ g10; let g49 = g48 | c; let g50 = g46 ^ g49; let g51 = g44 ^ g39;
    let g52 = g9 & !g51; let g53 = g40 & !g24; let g54 = g53 ^ g11; let g55 = g54 & !e;
    let g56 = g52 ^ g55; let g57 = g56 & !b; let g58 = g50 ^ g57;
    [g33, g18, g44, g58]
}
