//! The claims of one source.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::arena::Arena;
use crate::bulk::compacted;
use crate::cell::Cell;
use crate::edit::{Open, Saying};
use crate::error::TreeError;
use crate::path::TreePath;
use crate::source::{Content, Source, Stance};
use crate::texts::Labels;

/// Below so much garbage an arena is not worth rebuilding: whoever writes 10,000 siblings one by
/// one leaves as many behind each time.
const DEAD_CELLS: usize = 1 << 17;
const DEAD_BYTES: usize = 1 << 20;
const SPARE_PAGES: usize = 512;

/// One claim, as a layer tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The node the claim is about.
    pub path: TreePath,
    /// What it says.
    pub stance: Stance,
    /// When it was made, in Unix milliseconds.
    pub at_ms: i64,
}

/// The claims of one source, at most one a node.
///
/// The latest statement of a source about a place wins within its layer: a value put below an own
/// leaf or tombstone turns that into an interior node, a leaf or tombstone forgets what the layer
/// claimed below it. So a layer never contradicts itself.
///
/// Cloning is cheap: clones share all that they do not change. A change opens the directories on
/// its way; the next [`Layer::seal`] writes them down, and the version before keeps its own.
#[derive(Clone)]
pub struct Layer {
    source: Source,
    arena: Arc<Arena>,
    edit: Option<Box<Open>>,
}

impl Layer {
    /// A layer without claims.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            arena: Arc::new(Arena::new()),
            edit: None,
        }
    }

    /// Whose claims these are.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Claim that the node exists and is this. Missing parents are claimed as interior nodes at
    /// the same time; interior parents stay as they are.
    ///
    /// # Errors
    /// [`TreeError::RootFixed`] for a leaf at the root, [`TreeError::LeafFormat`],
    /// [`TreeError::TreeFull`]. The root is claimed by nobody: an interior claim on it is
    /// accepted and changes nothing.
    pub fn put(&mut self, path: &TreePath, content: Content, at_ms: i64) -> Result<(), TreeError> {
        match (&content, path.is_root()) {
            (Content::Interior { .. }, true) => return Ok(()),
            (Content::Leaf { .. }, true) => return Err(TreeError::RootFixed),
            (Content::Leaf { format, .. }, _) if &**format == Content::INTERIOR_FORMAT => {
                return Err(TreeError::LeafFormat);
            }
            _ => (),
        }
        let labels = &mut Arc::make_mut(&mut self.arena).labels;
        let format: Arc<str> = content.format().into();
        let way = Labels::intern(labels, &Content::INTERIOR_FORMAT.into(), &"".into())?;
        let saying = match &content {
            Content::Interior { mime } => Saying::Interior(Labels::intern(labels, &format, mime)?),
            Content::Leaf { value, mime, .. } => {
                Saying::Leaf(Labels::intern(labels, &format, mime)?, value)
            }
        };
        self.say(path, saying, way, at_ms)
    }

    /// Forget the claims at and below the node. Says whether there were any.
    pub fn remove(&mut self, path: &TreePath) -> bool {
        if path.is_root() {
            let had_any = !self.is_empty();
            *self = Self::new(self.source.clone());
            return had_any;
        }
        if self.find(path).is_none() {
            return false;
        }
        let (arena, open) = self.open();
        // Only a value that is written anew could find no room, and none has tombstones below.
        open.remove(arena, path).unwrap_or(true)
    }

    /// Claim that the node shall not exist. Own claims below it are forgotten.
    ///
    /// # Errors
    /// [`TreeError::RootFixed`], [`TreeError::TreeFull`].
    pub fn bury(&mut self, path: &TreePath, at_ms: i64) -> Result<(), TreeError> {
        if path.is_root() {
            return Err(TreeError::RootFixed);
        }
        self.say(path, Saying::Absent, 0, at_ms)
    }

    /// Write down what has changed, so that clones share it and the next merge sees what is as it
    /// was. The claims stay what they are.
    ///
    /// # Errors
    /// [`TreeError::TreeFull`].
    pub fn seal(&mut self) -> Result<(), TreeError> {
        let Some(edit) = self.edit.take() else {
            return Ok(());
        };
        let arena = Arc::make_mut(&mut self.arena);
        arena.root = edit.write(arena)?;
        if is_mostly_garbage(arena) {
            *arena = compacted(arena)?;
        }
        arena.seal();
        Ok(())
    }

    /// The claim on exactly this node.
    #[must_use]
    pub fn get(&self, path: &TreePath) -> Option<Entry> {
        self.arena.entry(&self.find(path)?.0, path.clone())
    }

    /// All claims: parents before children, siblings by name.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = Vec::with_capacity(self.len());
        let root = TreePath::root();
        match &self.edit {
            Some(open) => open.entries(&self.arena, &root, &mut entries),
            None => self.arena.entries(self.arena.root, root, &mut entries),
        }
        entries
    }

    /// How many claims there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.arena.claims
    }

    /// Whether there are no claims.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes the claims take as they are written down, values and garbage among them.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.arena.cells.held() * size_of::<Cell>() + self.arena.bytes.held()
    }

    pub(crate) fn arena(&self) -> &Arc<Arena> {
        &self.arena
    }

    /// All claims at once.
    pub(crate) fn take_arena(&mut self, mut arena: Arena) {
        arena.seal();
        self.arena = Arc::new(arena);
        self.edit = None;
    }

    /// This layer with all written down.
    pub(crate) fn sealed(&self) -> Result<Cow<'_, Self>, TreeError> {
        if self.edit.is_none() {
            return Ok(Cow::Borrowed(self));
        }
        let mut sealed = self.clone();
        sealed.seal()?;
        Ok(Cow::Owned(sealed))
    }

    fn say(
        &mut self,
        path: &TreePath,
        saying: Saying<'_>,
        way: u32,
        at_ms: i64,
    ) -> Result<(), TreeError> {
        let (arena, open) = self.open();
        open.say(arena, path, saying, way, at_ms)
    }

    fn open(&mut self) -> (&mut Arena, &mut Open) {
        let arena = Arc::make_mut(&mut self.arena);
        let open = self
            .edit
            .get_or_insert_with(|| Box::new(Open::of(arena, arena.root)));
        (arena, open)
    }

    /// The cell of a node, and its children if they are open.
    pub(crate) fn find(&self, path: &TreePath) -> Option<(Cell, Option<&Open>)> {
        match &self.edit {
            Some(open) => open.find(&self.arena, path),
            None => Some((self.arena.find(path)?, None)),
        }
    }
}

fn is_mostly_garbage(arena: &Arena) -> bool {
    let cells = arena.cells.held();
    let bytes = arena.bytes.held();
    let pages = arena.cells.page_count() + arena.bytes.page_count();
    (arena.dead_cells > DEAD_CELLS && arena.dead_cells > cells / 2)
        || (arena.dead_bytes > DEAD_BYTES && arena.dead_bytes > bytes / 2)
        // A seal begins pages of its own: many small changes make many.
        || pages > SPARE_PAGES + (cells >> 9) + (bytes >> 14)
}

impl PartialEq for Layer {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
            && ((Arc::ptr_eq(&self.arena, &other.arena)
                && self.edit.is_none()
                && other.edit.is_none())
                || (self.len() == other.len() && self.entries() == other.entries()))
    }
}

impl Eq for Layer {}

impl fmt::Debug for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?}", self.source, self.entries())
    }
}
