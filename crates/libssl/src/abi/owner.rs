//! References that own an object of C: the program's, and those of other objects.
//!
//! An object ends when its last owner is gone, as in OpenSSL when the count of references reaches 0.
//! [`Owned::end`] then runs the program's callbacks, and they may use the object: its memory is held
//! by an [`Arc`] until they have returned. So no call ever finds an object whose memory is being
//! freed. A callback that keeps a new reference gets an object that lives on, and that has ended.
//!
//! A running call holds a plain `Arc`, which keeps the memory and is no owner.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The count of owners in an object.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    count: AtomicUsize,
    ended: AtomicBool,
}

/// An object with owners.
pub(crate) trait Owned {
    /// The count in this object.
    fn owners(&self) -> &Owners;

    /// Runs the callbacks that free, and releases other objects. Called once, with no lock held,
    /// when the last owner is gone.
    fn end(this: &Arc<Self>);
}

/// A reference that owns the object.
#[derive(Debug)]
pub(crate) struct Owner<T: Owned>(Arc<T>);

impl<T: Owned> Owner<T> {
    /// One more owner.
    pub(crate) fn new(object: Arc<T>) -> Self {
        object.owners().count.fetch_add(1, Ordering::Relaxed);
        Self(object)
    }

    /// The pointer for C, which owns the object from here on.
    pub(crate) fn into_raw(self) -> *const T {
        let raw = Arc::as_ptr(&self.0);
        std::mem::forget(self);
        raw
    }

    /// Takes over the ownership that [`Self::into_raw`] gave to C. None when there is no owner left: a
    /// callback of the object's end frees it once more.
    ///
    /// # Safety
    /// `raw` is from [`Self::into_raw`], and C does not use this reference again.
    pub(crate) unsafe fn from_raw(raw: *const T) -> Option<Self> {
        // SAFETY: the memory is held by an owner, or for the time of the object's end.
        let owners = unsafe { (*raw).owners() };
        if owners.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        // SAFETY: as the caller promises; the count still includes this owner.
        Some(Self(unsafe { Arc::from_raw(raw) }))
    }
}

impl<T: Owned> Clone for Owner<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.0))
    }
}

impl<T: Owned> Deref for Owner<T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        &self.0
    }
}

impl<T: Owned> Drop for Owner<T> {
    fn drop(&mut self) {
        let owners = self.0.owners();
        if owners.count.fetch_sub(1, Ordering::AcqRel) == 1
            && !owners.ended.swap(true, Ordering::AcqRel)
        {
            T::end(&self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Object {
        owners: Owners,
        ends: AtomicUsize,
        kept: Mutex<Option<Owner<Object>>>,
        keeps: bool,
    }

    impl Owned for Object {
        fn owners(&self) -> &Owners {
            &self.owners
        }

        fn end(this: &Arc<Self>) {
            this.ends.fetch_add(1, Ordering::Relaxed);
            // A call that holds the object, and one that takes and returns a reference.
            drop(Arc::clone(this));
            drop(Owner::new(Arc::clone(this)));
            if this.keeps {
                *this.kept.lock().unwrap() = Some(Owner::new(Arc::clone(this)));
            }
        }
    }

    #[test]
    fn an_object_ends_once_with_its_last_owner() {
        let object = Arc::new(Object::default());
        let (first, second) = (Owner::new(Arc::clone(&object)), Owner::new(Arc::clone(&object)));
        let third = second.clone();
        // SAFETY: the reference is given and taken back once.
        let third = unsafe { Owner::from_raw(third.into_raw()) }.unwrap();
        drop(first);
        drop(second);
        assert_eq!(object.ends.load(Ordering::Relaxed), 0);
        drop(third);
        assert_eq!(object.ends.load(Ordering::Relaxed), 1);
        // SAFETY: the memory is held here.
        assert!(unsafe { Owner::from_raw(Arc::as_ptr(&object)) }.is_none(), "no owner is left");
        drop(Owner::new(Arc::clone(&object)));
        assert_eq!(object.ends.load(Ordering::Relaxed), 1);
        assert_eq!(Arc::strong_count(&object), 1);
    }

    #[test]
    fn a_reference_kept_at_the_end_keeps_the_memory() {
        let object = Arc::new(Object { keeps: true, ..Object::default() });
        drop(Owner::new(Arc::clone(&object)));
        assert_eq!(Arc::strong_count(&object), 2);
        let kept = object.kept.lock().unwrap().take();
        drop(kept);
        assert_eq!(Arc::strong_count(&object), 1);
        assert_eq!(object.ends.load(Ordering::Relaxed), 1);
    }
}
