//! What all handles of shared memory have in common.

/// `Clone` is the same thing in this process; serialising sends the same thing to another. `$what($part)`.
macro_rules! handle {
    ($what:ident $(<$generic:ident: $bound:path>)?, $part:ident) => {
        impl $(<$generic: $bound>)? Clone for $what $(<$generic>)? {
            fn clone(&self) -> Self {
                Self::from_shared(std::sync::Arc::clone(&self.shared))
            }
        }

        impl $(<$generic: $bound>)? serde::Serialize for $what $(<$generic>)? {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                crate::codec::carried::serialize(self.shared.block(), serializer)
            }
        }

        impl<'de $(, $generic: $bound)?> serde::Deserialize<'de> for $what $(<$generic>)? {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let block = crate::codec::carried::deserialize(deserializer)?;
                crate::shm::arena::Shared::<crate::shm::layouts::$part>::from_block(block)
                    .and_then(|shared| Self::received(std::sync::Arc::new(shared)))
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use handle;
