//! Many claims of one source at once.

use std::sync::Arc;

use crate::bulk::Builder;
use crate::edit::Saying;
use crate::error::TreeError;
use crate::layer::Layer;
use crate::path::{Known, TreePath, checked, names, split};
use crate::source::Content;
use crate::texts::{Label, Labels};

/// What a claim of a [`Load`] says; nothing is copied before it is stored.
#[derive(Clone, Copy)]
pub enum Claimed<'a> {
    /// The node shall not exist.
    Absent,
    /// It has children, perhaps none yet.
    Interior {
        /// The identifier of its management object, or empty.
        mime: &'a Arc<str>,
    },
    /// It has a value.
    Leaf {
        /// The bytes.
        value: &'a [u8],
        /// The DM format word.
        format: &'a Arc<str>,
        /// The MIME type.
        mime: &'a Arc<str>,
    },
}

/// Claims one after the other, as [`Layer::put`] and [`Layer::bury`] take them, for one layer.
///
/// In an empty layer, claims in the order of the tree (parents before children, siblings by
/// name) are written as they come. The layer changes at [`Load::finish`]; before it nothing has
/// happened.
pub struct Load {
    layer: Layer,
    builder: Option<Builder>,
    before: Before,
    no_label: Label,
    /// The label of the claim before, and its number.
    label: Option<(Label, u32)>,
}

impl Load {
    /// For a layer as it is now.
    ///
    /// # Errors
    /// [`TreeError::TreeFull`].
    pub fn new(layer: &Layer) -> Result<Self, TreeError> {
        let no_label: Label = (Content::INTERIOR_FORMAT.into(), "".into());
        let builder = match layer.is_empty() {
            true => Some(empty_builder(&no_label)?),
            false => None,
        };
        Ok(Self {
            layer: layer.clone(),
            builder,
            before: Before::default(),
            no_label,
            label: None,
        })
    }

    /// Make a claim.
    ///
    /// # Errors
    /// Those of [`TreePath::parse`], [`Layer::put`] and [`Layer::bury`].
    pub fn claim(&mut self, path: &str, claim: Claimed<'_>, at_ms: i64) -> Result<(), TreeError> {
        if self.builder.is_some() && path != "." && self.build(path, claim, at_ms)? {
            return Ok(());
        }
        self.leave_order()?;
        let path = TreePath::parse(path)?;
        match claim {
            Claimed::Absent => self.layer.bury(&path, at_ms),
            Claimed::Interior { mime } => {
                let mime = Arc::clone(mime);
                self.layer.put(&path, Content::Interior { mime }, at_ms)
            }
            Claimed::Leaf {
                value,
                format,
                mime,
            } => {
                let (value, format, mime) = (value.into(), Arc::clone(format), Arc::clone(mime));
                let content = Content::Leaf {
                    value,
                    format,
                    mime,
                };
                self.layer.put(&path, content, at_ms)
            }
        }
    }

    /// The layer with all claims made.
    ///
    /// # Errors
    /// [`TreeError::TreeFull`].
    pub fn finish(mut self) -> Result<Layer, TreeError> {
        self.leave_order()?;
        self.layer.seal()?;
        Ok(self.layer)
    }

    /// Make a claim that follows the one before; false: it does not.
    fn build(&mut self, path: &str, claim: Claimed<'_>, at_ms: i64) -> Result<bool, TreeError> {
        let known = self.before.shared(names(path));
        let names = checked(path, known)?;
        let saying = self.saying(claim)?;
        let Some(builder) = &mut self.builder else {
            return Ok(false);
        };
        let said = builder.say(split(names, known), known.depth, saying, at_ms)?;
        self.before.follow(names, known);
        Ok(said.is_ok())
    }

    fn saying<'a>(&mut self, claim: Claimed<'a>) -> Result<Saying<'a>, TreeError> {
        Ok(match claim {
            Claimed::Absent => Saying::Absent,
            Claimed::Interior { mime } => {
                let format = Arc::clone(&self.no_label.0);
                Saying::Interior(self.number(&format, mime)?)
            }
            Claimed::Leaf {
                value,
                format,
                mime,
            } => {
                if &**format == Content::INTERIOR_FORMAT {
                    return Err(TreeError::LeafFormat);
                }
                Saying::Leaf(self.number(format, mime)?, value)
            }
        })
    }

    fn number(&mut self, format: &Arc<str>, mime: &Arc<str>) -> Result<u32, TreeError> {
        if let Some(((last_format, last_mime), number)) = &self.label
            && Arc::ptr_eq(last_format, format)
            && Arc::ptr_eq(last_mime, mime)
        {
            return Ok(*number);
        }
        let Some(builder) = &mut self.builder else {
            return Ok(0);
        };
        let number = Labels::intern(&mut builder.arena().labels, format, mime)?;
        self.label = Some(((Arc::clone(format), Arc::clone(mime)), number));
        Ok(number)
    }

    /// From here on every claim finds its own way.
    fn leave_order(&mut self) -> Result<(), TreeError> {
        if let Some(builder) = self.builder.take() {
            self.layer.take_arena(builder.finish()?);
        }
        Ok(())
    }
}

fn empty_builder(no_label: &Label) -> Result<Builder, TreeError> {
    let mut arena = crate::arena::Arena::new();
    let way = Labels::intern(&mut arena.labels, &no_label.0, &no_label.1)?;
    Ok(Builder::new(arena, way))
}

/// The names of the claim before.
#[derive(Default)]
struct Before {
    names: String,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl Before {
    /// Those in front that another path begins with.
    fn shared(&self, names: &str) -> Known {
        let same = same_bytes(self.names.as_bytes(), names.as_bytes());
        let mut depth = self.ends.partition_point(|&end| end < same);
        // All that is the same may end with a name, too.
        let is_end = matches!(names.as_bytes().get(same), None | Some(b'/'));
        depth += usize::from(is_end && self.ends.get(depth) == Some(&same));
        let bytes = self.ends[..depth].last().map_or(0, |end| end + 1);
        Known { bytes, depth }
    }

    /// From here on it is another path, of which some names are those that were.
    fn follow(&mut self, names: &str, known: Known) {
        self.names.truncate(known.bytes.min(names.len()));
        self.names.push_str(&names[self.names.len()..]);
        self.ends.truncate(known.depth);
        let mut begin = known.bytes;
        for name in split(names, known) {
            self.ends.push(begin + name.len());
            begin += name.len() + 1;
        }
    }
}

/// How many bytes in front are the same.
fn same_bytes(left: &[u8], right: &[u8]) -> usize {
    let words = left.as_chunks::<8>().0.iter().zip(right.as_chunks::<8>().0);
    let words = words.take_while(|(left, right)| left == right).count() * 8;
    let bytes = left[words..].iter().zip(&right[words..]);
    words + bytes.take_while(|(left, right)| left == right).count()
}
