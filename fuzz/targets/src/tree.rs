//! DER as a tree, so that a mutation can move whole values and leave every length right.
//!
//! This reads what was written well, for mutation alone: it is no judge of DER.

/// A value and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) tag: u8,
    pub(crate) body: Body,
}

/// What is in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    Bytes(Vec<u8>),
    Nodes(Vec<Node>),
}

const OCTET_STRING: u8 = 4;
const CONSTRUCTED: u8 = 0x20;

impl Node {
    /// The tree of one value. An OCTET STRING that holds a value is opened, as the answer in an
    /// `OCSPResponse` is.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (node, rest) = Self::take(der)?;
        rest.is_empty().then_some(node)
    }

    fn take(der: &[u8]) -> Option<(Self, &[u8])> {
        let (&tag, rest) = der.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            _ => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                if bytes.len() > 4 {
                    return None;
                }
                (bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte)), rest)
            }
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        let opened = (tag & CONSTRUCTED != 0 || tag == OCTET_STRING).then(|| Self::all(contents));
        let body = match opened.flatten() {
            Some(nodes) if tag & CONSTRUCTED != 0 || nodes.len() == 1 => Body::Nodes(nodes),
            _ => Body::Bytes(contents.to_vec()),
        };
        Some((Self { tag, body }, rest))
    }

    fn all(mut contents: &[u8]) -> Option<Vec<Self>> {
        let mut nodes = Vec::new();
        while !contents.is_empty() {
            let (node, rest) = Self::take(contents)?;
            nodes.push(node);
            contents = rest;
        }
        Some(nodes)
    }

    /// The encoded tree.
    pub(crate) fn write(&self) -> Vec<u8> {
        let contents = match &self.body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Nodes(nodes) => nodes.iter().flat_map(Self::write).collect(),
        };
        let mut out = vec![self.tag];
        match u8::try_from(contents.len()) {
            Ok(short @ 0..=0x7f) => out.push(short),
            _ => {
                let bytes = contents.len().to_be_bytes();
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                out.push(0x80 | (bytes.len() - zeros) as u8);
                out.extend(&bytes[zeros..]);
            }
        }
        out.extend(contents);
        out
    }

    /// How many values there are, itself and all below it.
    pub(crate) fn count(&self) -> usize {
        match &self.body {
            Body::Bytes(_) => 1,
            Body::Nodes(nodes) => 1 + nodes.iter().map(Self::count).sum::<usize>(),
        }
    }

    /// The value at that place, counted from itself down.
    pub(crate) fn at(&mut self, mut place: usize) -> Option<&mut Self> {
        if place == 0 {
            return Some(self);
        }
        place -= 1;
        let Body::Nodes(nodes) = &mut self.body else { return None };
        for node in nodes {
            let count = node.count();
            if place < count {
                return node.at(place);
            }
            place -= count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::Vectors;

    #[test]
    fn what_is_read_is_written_as_it_was() {
        let mut read = 0;
        for der in Vectors::all().responses() {
            if let Some(mut tree) = Node::read(der) {
                assert_eq!(tree.write(), der);
                assert!(tree.at(tree.count() - 1).is_some() && tree.at(tree.count()).is_none());
                read += 1;
            }
        }
        assert!(read > 50, "{read}");
    }
}
