//! Builds a document from a decoder's events, within limits.

use std::borrow::Cow;
use std::sync::Arc;

use crate::element::{Attribute, Content, Element, Limits, MAX_DEPTH, MAX_ELEMENTS, push};
use crate::error::{CodecError, CodecFault};

/// Namespaces that one document may use.
const MAX_NAMESPACES: usize = 32;

/// The open elements of a document, and what of the limits is spent.
pub(crate) struct Builder {
    limits: Limits,
    open: Vec<Open>,
    root: Option<Element>,
    elements: usize,
    spent: usize,
    namespaces: Vec<Arc<str>>,
}

struct Open {
    name: Cow<'static, str>,
    namespace: Arc<str>,
    attributes: Vec<Attribute>,
    content: Vec<Content>,
    offset: usize,
}

impl Builder {
    pub(crate) fn new(limits: Limits, input: &[u8]) -> Result<Self, CodecError> {
        if input.len() > limits.max_bytes {
            return Err(CodecFault::TooLarge.at(limits.max_bytes));
        }
        Ok(Self {
            limits: Limits {
                max_depth: limits.max_depth.min(MAX_DEPTH),
                ..limits
            },
            open: Vec::new(),
            root: None,
            elements: 0,
            spent: 0,
            namespaces: Vec::new(),
        })
    }

    /// Counts bytes that the result will hold: references may expand far beyond the input.
    pub(crate) fn spend(&mut self, bytes: usize, offset: usize) -> Result<(), CodecError> {
        self.spent = self.spent.saturating_add(bytes);
        if self.spent > self.limits.max_bytes {
            return Err(CodecFault::TooLarge.at(offset));
        }
        Ok(())
    }

    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.root.is_some()
    }

    /// The namespace of the innermost open element.
    pub(crate) fn namespace(&self) -> Option<&str> {
        self.open.last().map(|open| &*open.namespace)
    }

    pub(crate) fn open(
        &mut self,
        name: Cow<'static, str>,
        namespace: &str,
        attributes: Vec<Attribute>,
        offset: usize,
    ) -> Result<(), CodecError> {
        if self.root.is_some() {
            return Err(CodecFault::TrailingData.at(offset));
        }
        if self.open.len() >= self.limits.max_depth {
            return Err(CodecFault::TooDeep.at(offset));
        }
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(CodecFault::TooManyElements.at(offset));
        }
        if let Cow::Owned(name) = &name {
            self.spend(name.len(), offset)?;
        }
        // One that says it has none (xmlns="", which writers leave behind where an element was made
        // apart from its document) has its parent's, as in every element here.
        let namespace = match self.open.last() {
            Some(outer) if namespace.is_empty() => Arc::clone(&outer.namespace),
            _ => self.intern(namespace, offset)?,
        };
        self.open.push(Open {
            name,
            namespace,
            attributes,
            content: Vec::new(),
            offset,
        });
        Ok(())
    }

    /// Adds text to the innermost open element.
    pub(crate) fn text(&mut self, text: &str, offset: usize) -> Result<(), CodecError> {
        self.spend(text.len(), offset)?;
        let Some(open) = self.open.last_mut() else {
            return Err(CodecFault::UnexpectedToken.at(offset));
        };
        match open.content.last_mut() {
            Some(Content::Text(before)) => before.push_str(text),
            _ => push(&mut open.content, Content::Text(text.to_owned())),
        }
        Ok(())
    }

    /// Adds binary data to the innermost open element.
    pub(crate) fn data(&mut self, data: &[u8], offset: usize) -> Result<(), CodecError> {
        self.spend(data.len(), offset)?;
        let Some(open) = self.open.last_mut() else {
            return Err(CodecFault::UnexpectedToken.at(offset));
        };
        open.content.push(Content::Data(data.to_owned()));
        Ok(())
    }

    pub(crate) fn close(&mut self, offset: usize) -> Result<(), CodecError> {
        let Some(mut open) = self.open.pop() else {
            return Err(CodecFault::UnexpectedToken.at(offset));
        };
        drop_indentation(&mut open.content);
        let element = Element::new(open.name, open.namespace, open.attributes, open.content)
            .map_err(|error| error.fault.at(open.offset))?;
        match self.open.last_mut() {
            Some(outer) => outer.content.push(Content::Element(Arc::new(element))),
            None => self.root = Some(element),
        }
        Ok(())
    }

    pub(crate) fn finish(self, offset: usize) -> Result<Element, CodecError> {
        self.root.ok_or(CodecFault::Truncated.at(offset))
    }

    fn intern(&mut self, namespace: &str, offset: usize) -> Result<Arc<str>, CodecError> {
        if let Some(known) = self.namespaces.iter().find(|known| &***known == namespace) {
            return Ok(Arc::clone(known));
        }
        if self.namespaces.len() >= MAX_NAMESPACES {
            return Err(CodecFault::BadNamespace.at(offset));
        }
        let interned = Arc::from(namespace);
        self.namespaces.push(Arc::clone(&interned));
        Ok(interned)
    }
}

/// White space between child elements is indentation; in an element without children it is text.
fn drop_indentation(content: &mut Vec<Content>) {
    if content
        .iter()
        .any(|piece| matches!(piece, Content::Element(_)))
    {
        content.retain(|piece| match piece {
            Content::Text(text) => !text.chars().all(|c| matches!(c, ' ' | '\t' | '\r' | '\n')),
            _ => true,
        });
    }
}
