//! One element model for XML and WBXML.
//!
//! Names are always valid XML names and attribute names are unique, whoever built the element; so an
//! encoder can write any element without looking for injected markup.

use std::borrow::Cow;
use std::sync::Arc;

use crate::error::{CodecError, CodecFault};

/// Nesting that no element exceeds, whatever a caller allows: recursion over elements stays bounded.
pub const MAX_DEPTH: usize = 256;
/// Elements that no decoded document exceeds.
pub const MAX_ELEMENTS: usize = 1 << 16;
/// Attributes that no element exceeds; uniqueness is checked pair by pair.
pub(crate) const MAX_ATTRIBUTES: usize = 64;

/// What a decoder may spend on one document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nested elements, the root included; at most [`MAX_DEPTH`].
    pub max_depth: usize,
    /// Bytes of the document, and bytes of names, text and data that it expands to.
    pub max_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_depth: 64,
            max_bytes: 1 << 20,
        }
    }
}

/// An attribute without namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The name.
    pub name: Cow<'static, str>,
    /// The value as text.
    pub value: String,
}

/// One piece of an element's content. A child is shared, so that a subtree can be taken out cheaply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A child element.
    Element(Arc<Element>),
    /// Character data.
    Text(String),
    /// Binary data: OPAQUE in WBXML; has no form of its own in XML.
    Data(Vec<u8>),
}

/// An element with its effective namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    name: Cow<'static, str>,
    namespace: Arc<str>,
    attributes: Vec<Attribute>,
    content: Vec<Content>,
    height: usize,
}

impl Element {
    /// An element; children without namespace take this one's. Adjacent and empty texts are joined.
    ///
    /// # Errors
    /// A name that XML does not allow, an attribute given twice, or more than [`MAX_DEPTH`] levels.
    pub fn new(
        name: impl Into<Cow<'static, str>>,
        namespace: impl Into<Arc<str>>,
        attributes: Vec<Attribute>,
        content: Vec<Content>,
    ) -> Result<Self, CodecError> {
        let name = name.into();
        let namespace = namespace.into();
        check_names(&name, &attributes)?;
        let mut joined = Vec::with_capacity(content.len());
        let mut height = 1;
        for mut piece in content {
            if let Content::Element(child) = &mut piece {
                inherit(child, &namespace);
                height = height.max(child.height + 1);
            }
            push(&mut joined, piece);
        }
        if height > MAX_DEPTH {
            return Err(CodecFault::TooDeep.into());
        }
        Ok(Self {
            name,
            namespace,
            attributes,
            content: joined,
            height,
        })
    }

    /// The local name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace URI; empty for none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The attributes in document order.
    #[must_use]
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// Children, text and data in document order.
    #[must_use]
    pub fn content(&self) -> &[Content] {
        &self.content
    }

    /// The child elements of one local name, whatever their namespace.
    pub fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Arc<Self>> {
        self.content.iter().filter_map(move |piece| match piece {
            Content::Element(child) if child.name == name => Some(child),
            _ => None,
        })
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value.as_str())
    }

    /// Text and data together, as bytes; children are left out.
    #[must_use]
    pub fn data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for piece in &self.content {
            match piece {
                Content::Element(_) => {}
                Content::Text(text) => data.extend_from_slice(text.as_bytes()),
                Content::Data(bytes) => data.extend_from_slice(bytes),
            }
        }
        data
    }

    /// Text and data together, as text; children are left out.
    ///
    /// # Errors
    /// Data that is not UTF-8.
    pub fn text(&self) -> Result<String, CodecError> {
        String::from_utf8(self.data()).map_err(|_| CodecFault::BadText.into())
    }
}

/// Gives a namespace to an element that has none, and to those below that have none.
fn inherit(element: &mut Arc<Element>, namespace: &Arc<str>) {
    if namespace.is_empty() || !element.namespace.is_empty() {
        return;
    }
    let element = Arc::make_mut(element);
    element.namespace = Arc::clone(namespace);
    for piece in &mut element.content {
        if let Content::Element(child) = piece {
            inherit(child, namespace);
        }
    }
}

/// Adds a piece; empty texts are left out, adjacent ones joined.
pub(crate) fn push(content: &mut Vec<Content>, piece: Content) {
    match (content.last_mut(), piece) {
        (_, Content::Text(text)) if text.is_empty() => {}
        (Some(Content::Text(before)), Content::Text(text)) => before.push_str(&text),
        (_, piece) => content.push(piece),
    }
}

fn check_names(name: &str, attributes: &[Attribute]) -> Result<(), CodecError> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(CodecFault::TooManyAttributes.into());
    }
    if !is_name(name) {
        return Err(CodecFault::BadName.into());
    }
    for (index, attribute) in attributes.iter().enumerate() {
        if !is_name(&attribute.name) || attribute.name == "xmlns" {
            return Err(CodecFault::BadName.into());
        }
        if attributes[..index]
            .iter()
            .any(|other| other.name == attribute.name)
        {
            return Err(CodecFault::DuplicateAttribute.into());
        }
    }
    Ok(())
}

/// Whether XML allows the name without a prefix (Namespaces in XML §3, NCName).
fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(starts_name) && characters.all(continues_name)
}

// XML 1.0 (fifth edition) §2.3, productions 4 and 4a, without the colon
fn starts_name(character: char) -> bool {
    character.is_ascii_alphabetic()
        || matches!(character, '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
            | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}' | '\u{200D}'
            | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
            | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn continues_name(character: char) -> bool {
    starts_name(character)
        || character.is_ascii_digit()
        || matches!(
            character,
            '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}' | '\u{2040}'
        )
}

/// Whether XML allows the character in a document (XML 1.0 §2.2).
pub(crate) fn is_xml_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}
