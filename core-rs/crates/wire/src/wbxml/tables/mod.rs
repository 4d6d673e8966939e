//! Token tables by document type.

mod dmddf;
mod metinf;
mod prov;
mod syncml;

pub(super) use prov::EARLY_VALUES;

/// What the tokens of a document type mean.
pub(super) struct DocumentType {
    /// The name of the root element.
    pub(super) root: &'static str,
    /// The public identifier as a number, where one is registered.
    pub(super) public_id: Option<u32>,
    /// The public identifier as text, for the string table.
    pub(super) formal_id: &'static str,
    /// Tag code pages; the first holds the root element.
    pub(super) tags: &'static [TagPage],
    /// Attribute code pages.
    pub(super) attributes: &'static [AttributePage],
}

/// One page of the tag code space.
pub(super) struct TagPage {
    pub(super) page: u8,
    pub(super) namespace: &'static str,
    pub(super) tags: &'static [(u8, &'static str)],
}

/// One page of the attribute code space.
pub(super) struct AttributePage {
    pub(super) page: u8,
    pub(super) starts: &'static [AttributeStart],
    pub(super) values: &'static [(u8, &'static str)],
}

/// A token that starts an attribute and may carry the start of its value.
pub(super) struct AttributeStart {
    pub(super) token: u8,
    pub(super) name: &'static str,
    pub(super) value: Option<&'static str>,
}

const SYNCML_1_1: &str = "SYNCML:SYNCML1.1";
const SYNCML_1_2: &str = "SYNCML:SYNCML1.2";
const METINF: &str = "syncml:metinf";
const DMDDF: &str = "syncml:dmddf1.2";

/// All document types; where only a root name is known, the first with that root.
pub(super) static DOCUMENT_TYPES: &[DocumentType] = &[
    // WAP-183-PROVCONT, OMA-WAP-TS-ProvCont
    DocumentType {
        root: "wap-provisioningdoc",
        public_id: Some(0x0B),
        formal_id: "-//WAPFORUM//DTD PROV 1.0//EN",
        tags: prov::TAGS,
        attributes: prov::ATTRIBUTES,
    },
    // OMA-TS-SyncML-RepPro-V1_2, WBXML definition
    DocumentType {
        root: "SyncML",
        public_id: Some(0x1201),
        formal_id: "-//SYNCML//DTD SyncML 1.2//EN",
        tags: &[
            TagPage {
                page: 0,
                namespace: SYNCML_1_2,
                tags: syncml::TAGS,
            },
            TagPage {
                page: 1,
                namespace: METINF,
                tags: metinf::TAGS,
            },
            TagPage {
                page: 2,
                namespace: DMDDF,
                tags: dmddf::TAGS,
            },
        ],
        attributes: &[],
    },
    DocumentType {
        root: "SyncML",
        public_id: Some(0x0FD3),
        formal_id: "-//SYNCML//DTD SyncML 1.1//EN",
        tags: &[
            TagPage {
                page: 0,
                namespace: SYNCML_1_1,
                tags: syncml::TAGS,
            },
            TagPage {
                page: 1,
                namespace: METINF,
                tags: metinf::TAGS,
            },
            TagPage {
                page: 2,
                namespace: DMDDF,
                tags: dmddf::TAGS,
            },
        ],
        attributes: &[],
    },
    // OMA-TS-DM_TND-V1_2, WBXML definition: a formal public identifier and code page 2, but no number
    DocumentType {
        root: "MgmtTree",
        public_id: None,
        formal_id: "-//OMA//DTD-DM-DDF 1.2//EN",
        tags: &[TagPage {
            page: 2,
            namespace: DMDDF,
            tags: dmddf::TAGS,
        }],
        attributes: &[],
    },
];

impl DocumentType {
    /// The type with a numeric public identifier.
    pub(super) fn by_number(number: u32) -> Option<&'static Self> {
        DOCUMENT_TYPES
            .iter()
            .find(|document| document.public_id == Some(number))
    }

    /// The type with a formal public identifier.
    pub(super) fn by_formal_id(formal_id: &str) -> Option<&'static Self> {
        DOCUMENT_TYPES
            .iter()
            .find(|document| document.formal_id.eq_ignore_ascii_case(formal_id))
    }

    /// The type whose root element has this token: for documents that do not tell their type.
    pub(super) fn by_root_token(page: u8, token: u8) -> Option<&'static Self> {
        DOCUMENT_TYPES.iter().find(|document| {
            document
                .tag(page, token)
                .is_some_and(|(name, _)| name == document.root)
        })
    }

    /// The type for a root element.
    pub(super) fn by_root(name: &str, namespace: &str) -> Option<&'static Self> {
        let mut candidates = DOCUMENT_TYPES
            .iter()
            .filter(|document| document.root == name);
        let first = candidates.next()?;
        let exact = candidates.find(|document| document.namespace() == namespace);
        exact.or_else(|| (namespace.is_empty() || first.namespace() == namespace).then_some(first))
    }

    /// The namespace of the root element.
    pub(super) fn namespace(&self) -> &'static str {
        self.tags.first().map_or("", |page| page.namespace)
    }

    /// Name and namespace of a tag token.
    pub(super) fn tag(&self, page: u8, token: u8) -> Option<(&'static str, &'static str)> {
        let page = self.tags.iter().find(|entry| entry.page == page)?;
        let entry = page.tags.iter().find(|entry| entry.0 == token)?;
        Some((entry.1, page.namespace))
    }

    /// Page and token of a tag: on a page of its namespace, the current one first.
    ///
    /// Deployed peers leave namespaces out, so a name without or with another namespace of this
    /// document type is looked for on the other pages too.
    pub(super) fn tag_token(&self, name: &str, namespace: &str, page: u8) -> Option<(u8, u8)> {
        let is_own = |entry: &TagPage| entry.namespace == namespace;
        if !namespace.is_empty() && !self.tags.iter().any(is_own) {
            return None;
        }
        self.tags
            .iter()
            .filter_map(|entry| {
                let token = entry.tags.iter().find(|tag| tag.1 == name)?.0;
                Some((entry, token))
            })
            .min_by_key(|(entry, _)| (!is_own(entry), entry.page != page))
            .map(|(entry, token)| (entry.page, token))
    }

    /// What an attribute start token means.
    pub(super) fn attribute(&self, page: u8, token: u8) -> Option<&'static AttributeStart> {
        let page = self.attributes.iter().find(|entry| entry.page == page)?;
        page.starts.iter().find(|entry| entry.token == token)
    }

    /// The text of an attribute value token.
    pub(super) fn value(&self, page: u8, token: u8) -> Option<&'static str> {
        let page = self.attributes.iter().find(|entry| entry.page == page)?;
        let entry = page.values.iter().find(|entry| entry.0 == token)?;
        Some(entry.1)
    }

    /// Page and token that start an attribute: with its whole value if there is one, else bare.
    pub(super) fn attribute_token(
        &self,
        name: &str,
        value: &str,
        page: u8,
    ) -> Option<(u8, &'static AttributeStart)> {
        self.attributes
            .iter()
            .flat_map(|entry| entry.starts.iter().map(move |start| (entry.page, start)))
            .filter(|(_, start)| start.name == name && start.value.is_none_or(|v| v == value))
            .min_by_key(|(at, start)| (start.value.is_none(), *at != page))
    }

    /// The value tokens of one page that together make up a whole value.
    pub(super) fn value_tokens(&self, value: &str, page: u8) -> Option<Vec<u8>> {
        let page = self.attributes.iter().find(|entry| entry.page == page)?;
        let mut tokens = Vec::new();
        let mut rest = value;
        while !rest.is_empty() {
            let (token, text) = page
                .values
                .iter()
                .filter(|(_, text)| rest.starts_with(text))
                .max_by_key(|(_, text)| text.len())?;
            tokens.push(*token);
            rest = &rest[text.len()..];
        }
        Some(tokens)
    }
}
