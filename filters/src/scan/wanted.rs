//! Which members a scan looks for, and how a key is recognised in any of its spellings.

use crate::text;

/// A wanted member: where in the scan's answer its value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The contract member. Besides its last value, every occurrence is listed in [`super::Found::contract`].
    Contract,
    /// The message's text; of the `/v1` routes, `messages` whole.
    Text,
    /// The room.
    Room,
    /// JSON-RPC's `method`.
    Method,
    /// JSON-RPC's `id`.
    Id,
    /// JSON-RPC's `params`, whole.
    Params,
    /// `user` of the `/v1` routes.
    User,
    /// `metadata.conversation_id` of the `/v1` routes.
    ConversationId,
    /// `metadata.conversationId` of the `/v1` routes.
    ConversationIdCamel,
    /// `metadata.user_id` of the `/v1` routes.
    UserId,
    /// `system` of `/v1/messages`.
    System,
    /// The contract value's `mode`.
    Mode,
    /// The contract value's `profile`.
    Profile,
    /// The contract value's `reason`.
    Reason,
    /// An answer's `type`.
    Type,
    /// An answer's `fullText`.
    FullText,
    /// An answer's `error`.
    Error,
    /// `delta.text` of Anthropic's answers, `delta.content` of a choice of OpenAI's.
    Delta,
    /// `choices` of OpenAI's answers, whole.
    Choices,
    /// An answer's `metadata`, whole.
    Metadata,
    /// JSON-RPC's `result`, whole.
    Result,
    /// `rpcId` of the cloud's events.
    RpcId,
}

impl Slot {
    pub(super) const COUNT: usize = Self::RpcId as usize + 1;
}

/// Which members a scan looks for: names in the root object, and names in objects that are values of a root member.
/// Built once per dialect at start-up. A slot stands for one place; wired to several, the last one read counts.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub(super) root: Names,
    pub(super) containers: Vec<Names>,
}

impl Wanted {
    /// Nothing wanted: the scan only validates.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Also looks for `name` in the root object.
    #[must_use]
    pub fn root(mut self, name: &str, slot: Slot) -> Self {
        self.root.entry(name).slot = Some(slot);
        self
    }

    /// Also looks for `name` in the object that the root member `container` holds.
    #[must_use]
    pub fn within(mut self, container: &str, name: &str, slot: Slot) -> Self {
        let next = u16::try_from(self.containers.len()).unwrap_or(u16::MAX);
        let index = *self.root.entry(container).container.get_or_insert(next);
        if index == next {
            self.containers.push(Names::default());
        }
        if let Some(names) = self.containers.get_mut(usize::from(index)) {
            names.entry(name).slot = Some(slot);
        }
        self
    }
}

/// What a key is to the scan. Small enough for one register: halves of it written apart and read at once are slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) slot: Option<Slot>,
    /// Index in [`Wanted::containers`] of the names to look for inside the value.
    pub(super) container: Option<u16>,
}

/// The names wanted in one object.
#[derive(Clone, Debug)]
pub(super) struct Names {
    names: Vec<(Name, Hit)>,
    /// No raw key that begins with another byte can be one of them.
    first_bytes: [bool; 256],
    /// Nor one that is longer: six bytes is the longest spelling of a character of one byte, and more bytes are fewer
    /// each.
    longest_spelling: usize,
}

impl Default for Names {
    fn default() -> Self {
        Self { names: Vec::new(), first_bytes: [false; 256], longest_spelling: 0 }
    }
}

impl Names {
    /// What the key of `length` bytes with which `text` begins is to us; its last quote follows.
    #[inline]
    pub(super) fn find(&self, text: &[u8], length: usize) -> Hit {
        if !self.may_begin(text) {
            return Hit::default();
        }
        self.find_whole(text).unwrap_or_else(|| self.find_raw(text.get(..length).unwrap_or(&[])))
    }

    /// Whether the raw key of one of them may begin like `text`.
    #[inline]
    pub(super) fn may_begin(&self, text: &[u8]) -> bool {
        self.first_bytes[usize::from(text.first().copied().unwrap_or(b'"'))]
    }

    /// What the key with which `text` begins is to us; `None` where `text` may be too short to tell.
    #[inline]
    pub(super) fn find_whole(&self, text: &[u8]) -> Option<Hit> {
        let front = text.first_chunk().filter(|_| text.len() > self.longest_spelling)?;
        let front = u128::from_le_bytes(*front);
        let known = self.names.iter().find(|(name, _)| name.begins(front, text));
        Some(known.map_or_else(Hit::default, |(_, hit)| *hit))
    }

    /// What the key spelled by `raw`, the bytes between its quotes, is to us.
    #[inline(never)]
    pub(super) fn find_raw(&self, raw: &[u8]) -> Hit {
        let plain = !raw.contains(&b'\\');
        let known = self.names.iter().find(|(name, _)| match plain {
            true => name.text.as_bytes() == raw,
            false => text::after(raw, &name.text) == Some(&[]),
        });
        known.map_or_else(Hit::default, |(_, hit)| *hit)
    }

    /// The most bytes of a key that need keeping to decide on it.
    pub(super) fn longest_spelling(&self) -> usize {
        self.longest_spelling
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.names.iter().filter_map(|(_, hit)| hit.slot)
    }

    fn entry(&mut self, name: &str) -> &mut Hit {
        let position = self.names.iter().position(|(known, _)| &*known.text == name);
        let index = position.unwrap_or_else(|| self.add(name));
        &mut self.names[index].1
    }

    fn add(&mut self, name: &str) -> usize {
        // An empty key has no first byte: `find` takes the quote after it.
        let first = name.bytes().next().unwrap_or(b'"');
        self.first_bytes[usize::from(first)] = true;
        self.first_bytes[usize::from(b'\\')] = true;
        self.longest_spelling = self.longest_spelling.max(6 * name.len());
        self.names.push((Name::new(name), Hit::default()));
        self.names.len() - 1
    }
}

/// A name, with its first bytes and the quote behind it as they are compared at once.
#[derive(Clone, Debug)]
struct Name {
    text: Box<str>,
    front: u128,
    /// Which bits of `front` count.
    counts: u128,
}

impl Name {
    fn new(text: &str) -> Self {
        let [mut front, mut counts] = [[0; FRONT]; 2];
        for (place, byte) in text.bytes().chain([b'"']).take(FRONT).enumerate() {
            front[place] = byte;
            counts[place] = 0xFF;
        }
        let [front, counts] = [front, counts].map(u128::from_le_bytes);
        Self { text: text.into(), front, counts }
    }

    #[inline]
    fn begins(&self, front: u128, text: &[u8]) -> bool {
        let differs = (front ^ self.front) & self.counts;
        if differs == 0 && self.text.len() < FRONT {
            return true;
        }
        // Only an escape, or what is behind the first bytes, can make it one all the same.
        let place = differs.trailing_zeros() / 8;
        let open = differs == 0 || text.get(place as usize) == Some(&b'\\');
        open && text::after(text, &self.text).is_some_and(|rest| rest.first() == Some(&b'"'))
    }
}

/// How many bytes are compared at once.
const FRONT: usize = 16;
