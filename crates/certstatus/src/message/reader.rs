//! Reads elements one after another and knows where each is in the message.
//!
//! A departure from DER or RFC 6960 that leaves no doubt about the fields around it is recorded as
//! an [`Irregularity`] and reading goes on. The strict readers refuse the first irregularity. The
//! verifier refuses it too, except for a revocation: strictness must not hide one.

use asn1::{Asn1Readable, ParseError, ParseErrorKind, Tlv};

use crate::Error;
use crate::error::{Irregularity, MalformedReason};

/// Irregularities of one message, in the order in which they were found.
pub(super) type Irregularities = Vec<Irregularity>;

/// A cursor over the elements in one constructed element.
pub(super) struct Reader<'a> {
    structure: &'static str,
    rest: &'a [u8],
    offset: usize,
}

/// An element and the name and offset of its field.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    structure: &'static str,
    field: &'static str,
    offset: usize,
    tlv: Tlv<'a>,
}

fn raw_tag(tlv: &Tlv<'_>) -> Option<u8> {
    tlv.tag().as_u8()
}

impl<'a> Reader<'a> {
    /// Reads a whole message of that name.
    pub(super) fn whole(structure: &'static str, der: &'a [u8]) -> Result<Element<'a>, Error> {
        let mut reader = Reader { structure, rest: der, offset: 0 };
        let element = reader.element("the whole")?;
        reader.end()?;
        Ok(element)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn malformed(&self, field: &'static str, reason: MalformedReason) -> Irregularity {
        Irregularity { structure: self.structure, field, offset: self.offset, reason }
    }

    /// Reads the next element, whatever its tag.
    pub(super) fn element(&mut self, field: &'static str) -> Result<Element<'a>, Error> {
        let (tlv, rest) = asn1::strip_tlv(self.rest)
            .map_err(|error| self.malformed(field, MalformedReason::der(&error)))?;
        let element = Element { structure: self.structure, field, offset: self.offset, tlv };
        self.rest = rest;
        self.offset += tlv.full_data().len();
        Ok(element)
    }

    /// Reads the next element, which must have that tag.
    pub(super) fn expect(&mut self, field: &'static str, tag: u8) -> Result<Element<'a>, Error> {
        let element = self.element(field)?;
        element.has_tag(tag)?;
        Ok(element)
    }

    /// Reads the next element if it has that tag.
    pub(super) fn optional(
        &mut self,
        field: &'static str,
        tag: u8,
    ) -> Result<Option<Element<'a>>, Error> {
        match self.rest.first() {
            Some(first) if *first == tag => self.element(field).map(Some),
            _ => Ok(None),
        }
    }

    /// Refuses bytes after the last field.
    pub(super) fn end(&self) -> Result<(), Error> {
        match self.trailing() {
            Some(trailing) => Err(trailing.into()),
            None => Ok(()),
        }
    }

    /// The irregularity of bytes after the last field.
    pub(super) fn trailing(&self) -> Option<Irregularity> {
        let extra = ParseError::new(ParseErrorKind::ExtraData);
        (!self.is_empty()).then(|| self.malformed("the end", MalformedReason::der(&extra)))
    }
}

impl<'a> Element<'a> {
    pub(super) fn tlv(&self) -> Tlv<'a> {
        self.tlv
    }

    /// The irregularity of this element, for that reason.
    pub(super) fn irregular(&self, reason: &'static str) -> Irregularity {
        self.because(MalformedReason::rule(reason))
    }

    fn because(&self, reason: MalformedReason) -> Irregularity {
        let Self { structure, field, offset, .. } = *self;
        Irregularity { structure, field, offset, reason }
    }

    /// Refuses any other tag.
    pub(super) fn has_tag(&self, tag: u8) -> Result<(), Error> {
        if raw_tag(&self.tlv) == Some(tag) {
            return Ok(());
        }
        let unexpected = ParseErrorKind::UnexpectedTag { actual: self.tlv.tag() };
        Err(self.because(MalformedReason::der(&ParseError::new(unexpected))).into())
    }

    /// Refuses a list of more elements than that.
    pub(super) fn too_many(&self, limit: usize) -> Error {
        let size = ParseErrorKind::InvalidSize { min: 0, max: limit, actual: limit + 1 };
        self.because(MalformedReason::der(&ParseError::new(size))).into()
    }

    /// The fields in this element, as those of a structure of that name.
    pub(super) fn inside(&self, structure: &'static str) -> Reader<'a> {
        let data = self.tlv.data();
        let header = self.tlv.full_data().len() - data.len();
        Reader { structure, rest: data, offset: self.offset + header }
    }

    /// The one element in this element: the contents of an EXPLICIT tag or OCTET STRING.
    pub(super) fn only(&self) -> Result<Element<'a>, Error> {
        let mut reader = self.inside(self.structure);
        let element = reader.element(self.field)?;
        reader.end()?;
        Ok(element)
    }

    /// The element as a value of a type that is read whole.
    pub(super) fn parse<T: Asn1Readable<'a>>(&self) -> Result<T, Irregularity> {
        asn1::parse_single(self.tlv.full_data())
            .map_err(|error| self.because(MalformedReason::der(&error)))
    }
}
