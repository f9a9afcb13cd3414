//! What all handles of shared memory have in common.

/// `Clone` is the same thing in this process; serialising sends the same thing to another.
///
/// `handle!(Lock, LockPart)` is for what is one block; else two closures say how it is written and read.
macro_rules! handle {
    ($what:ident $(<$generic:ident: $bound:path>)?, $part:ident) => {
        $crate::sync::handle!(
            $what $(<$generic: $bound>)?,
            |shared, serializer| $crate::codec::carried::serialize(shared.block(), serializer),
            |deserializer| {
                let block = $crate::codec::carried::deserialize(deserializer)?;
                $crate::shm::arena::Shared::<$crate::shm::layouts::$part>::from_block(block)
                    .map_err(serde::de::Error::custom)
            }
        );
    };
    (
        $what:ident $(<$generic:ident: $bound:path>)?,
        |$shared:ident, $serializer:ident| $write:expr,
        |$deserializer:ident| $read:expr
    ) => {
        impl $(<$generic: $bound>)? Clone for $what $(<$generic>)? {
            fn clone(&self) -> Self {
                Self::from_shared(std::sync::Arc::clone(&self.shared))
            }
        }

        impl $(<$generic: $bound>)? serde::Serialize for $what $(<$generic>)? {
            fn serialize<S: serde::Serializer>(&self, $serializer: S) -> Result<S::Ok, S::Error> {
                let $shared = &*self.shared;
                $write
            }
        }

        impl<'de $(, $generic: $bound)?> serde::Deserialize<'de> for $what $(<$generic>)? {
            fn deserialize<D: serde::Deserializer<'de>>($deserializer: D) -> Result<Self, D::Error> {
                let shared: Result<_, D::Error> = $read;
                Self::received(std::sync::Arc::new(shared?)).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use handle;
