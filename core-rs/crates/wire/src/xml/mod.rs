//! The XML form (XML 1.0, Namespaces in XML). No document type is read and no entity is expanded
//! beyond the five predefined ones and character references.

mod decode;
mod encode;

pub use decode::decode;
pub use encode::encode;
