//! The management tree: paths, layers by source, merge, difference, provenance.
//!
//! A [`Layer`] holds what one source (the device, a card, a server) claims about the tree: this
//! node is interior, this leaf has this value, this node shall not exist. [`merge`] lays any
//! number of layers over one another and yields an immutable [`Snapshot`].
//!
//! # The one rule
//!
//! The snapshot is what results when all claims are applied to an empty tree from the weakest to
//! the strongest. A claim is stronger by the kind of its source (device < card < server); within
//! one kind the later claim is stronger, then the greater id. To apply means:
//!
//! * *leaf*: the node becomes that leaf; what stood below it goes;
//! * *interior*: a leaf is replaced by an empty interior node, an interior node stays;
//! * *absent*: the node goes with everything below it;
//! * missing or leaf parents on the way become interior nodes and belong to the strongest claim
//!   that needs them, until an interior claim of their own is applied.
//!
//! So a tombstone hides the weaker claims at and below it for good, and a stronger claim below a
//! tombstone brings back its own path and nothing else.
//!
//! # How it is kept
//!
//! `pages` holds what is written once and shared, and a `run` reads it; a layer is an `arena` of
//! `cell`s in pages. An `edit` opens the directories on its way and writes them anew, `bulk` writes
//! a whole layer. A `merge` is made of directories: `lay` walks the layers of one side by side with
//! `cursor`s, `resolve` decides what is disputed. `share` divides a large merge among threads.
//! `patch` goes on from an earlier merge where two `versions` of a layer differ: it `follow`s what
//! changes no decision, and decides anew on the rest with all that can `reach` it. `strata` numbers
//! layers so that it can.

mod acls;
mod amend;
mod arena;
mod bulk;
mod cell;
mod cursor;
mod diff;
mod edit;
mod error;
mod explain;
mod follow;
mod lay;
mod layer;
mod load;
mod merge;
mod pages;
mod patch;
mod path;
mod reach;
mod resolve;
mod run;
mod share;
mod snapshot;
mod source;
mod strata;
mod texts;
mod versions;

pub use acls::Acls;
pub use amend::Amendment;
pub use diff::Change;
pub use error::TreeError;
pub use explain::{Explanation, Outcome};
pub use layer::{Entry, Layer};
pub use load::{Claimed, Load};
pub use merge::merge;
pub use patch::{merge_after, merge_on};
pub use path::{MAX_DEPTH, MAX_PATH_BYTES, MAX_SEGMENT_BYTES, TreePath};
pub use snapshot::{Node, Snapshot, Walk};
pub use source::{Content, Source, SourceKind, Stance};
