//! HTTP digest with MD5 (RFC 2617 §3.2.2, RFC 7616 §3.4), also as AKAv1-MD5 (RFC 3310 §3.3).

use crate::error::CryptoError;
use crate::hash::{LOWER_HEX, hex, md5_of};

/// The protection that both sides agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Qop {
    /// None was offered: the formula of RFC 2069.
    None,
    /// `auth`: the request line.
    Auth,
    /// `auth-int`: the request line and the body.
    AuthInt,
}

/// The inputs of a digest, as they stand in the header without their quotes.
pub struct Request<'a> {
    /// The user name.
    pub username: &'a str,
    /// The realm.
    pub realm: &'a str,
    /// The password; binary for AKAv1-MD5, where it is RES.
    pub password: &'a [u8],
    /// The method; empty for the server's `rspauth` (RFC 2617 §3.2.3).
    pub method: &'a str,
    /// The digest URI.
    pub uri: &'a str,
    /// The server's nonce.
    pub nonce: &'a str,
    /// The nonce count, eight hexadecimal digits.
    pub nc: &'a str,
    /// The client's nonce.
    pub cnonce: &'a str,
    /// The protection.
    pub qop: Qop,
    /// The entity body, for `auth-int`.
    pub body: &'a [u8],
}

impl Qop {
    /// From the header's text.
    ///
    /// # Errors
    /// A protection that RFC 7616 does not define.
    pub fn parse(text: Option<&str>) -> Result<Self, CryptoError> {
        match text {
            None => Ok(Self::None),
            Some("auth") => Ok(Self::Auth),
            Some("auth-int") => Ok(Self::AuthInt),
            Some(_) => Err(CryptoError::BadInput {
                field: "qop",
                reason: "is neither auth nor auth-int",
            }),
        }
    }
}

/// The `response` of a request, or the `rspauth` of an answer, in lower-case hexadecimal digits.
///
/// # Errors
/// A protection that needs a nonce count and a client nonce, without them.
pub fn response(request: &Request<'_>) -> Result<String, CryptoError> {
    let ha1 = hex(
        &*md5_of(&[
            request.username.as_bytes(),
            request.realm.as_bytes(),
            request.password,
        ]),
        LOWER_HEX,
    );
    let ha1 = zeroize::Zeroizing::new(ha1);
    let (method, uri) = (request.method.as_bytes(), request.uri.as_bytes());
    let nonce = request.nonce.as_bytes();
    let (qop, ha2) = match request.qop {
        Qop::None => {
            let ha2 = hex(&*md5_of(&[method, uri]), LOWER_HEX);
            let response = md5_of(&[ha1.as_bytes(), nonce, ha2.as_bytes()]);
            return Ok(hex(&*response, LOWER_HEX));
        }
        Qop::Auth => ("auth", md5_of(&[method, uri])),
        Qop::AuthInt => {
            let body = hex(&*md5_of(&[request.body]), LOWER_HEX);
            ("auth-int", md5_of(&[method, uri, body.as_bytes()]))
        }
    };
    for (field, value) in [("nc", request.nc), ("cnonce", request.cnonce)] {
        if value.is_empty() {
            return Err(CryptoError::BadInput {
                field,
                reason: "is empty although qop is given",
            });
        }
    }
    let response = md5_of(&[
        ha1.as_bytes(),
        nonce,
        request.nc.as_bytes(),
        request.cnonce.as_bytes(),
        qop.as_bytes(),
        hex(&*ha2, LOWER_HEX).as_bytes(),
    ]);
    Ok(hex(&*response, LOWER_HEX))
}
