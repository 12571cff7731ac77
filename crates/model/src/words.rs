//! Closed sets whose members have a stable word.

/// Declares an enum with the word of each member: one list for `ALL`, `KEYS`, `key` and `from_key`, and with `serde enum` for what
/// serde writes and reads, too (`Serialize` or `Deserialize` must be derived then).
///
/// Where every member has a code, too, the codes are those of databases, and `code` and `from_code` come with them.
///
/// The words are used in databases, the API, style sheets, metrics and message files: they are stable.
///
/// ```
/// bakau_model::words! {
///     /// What a door is.
///     #[derive(Debug, Clone, Copy, PartialEq, Eq)]
///     pub enum Door {
///         /// One may enter.
///         Open => "open",
///         /// One may not.
///         Shut = 4 => "shut",
///     }
/// }
/// assert_eq!(Door::KEYS, ["open", "shut"]);
/// assert_eq!(Door::ALL.map(Door::key), Door::KEYS);
/// assert_eq!((Door::from_key("shut"), Door::from_key("ajar")), (Some(Door::Shut), None));
/// ```
#[macro_export]
macro_rules! words {
    (
        $(#[$meta:meta])*
        $vis:vis serde enum $name:ident {
            $($(#[$of:meta])* $member:ident = $code:literal => $word:tt),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[repr(u8)]
        $vis enum $name {
            $($(#[$of])* #[serde(rename = $word)] $member = $code),+
        }
        $crate::words!(@table $vis $name $($member $word)+);
        impl $name {
            /// The code as stored.
            #[must_use]
            $vis const fn code(self) -> u8 {
                self as u8
            }

            /// The one of a stored code.
            #[must_use]
            $vis const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$member),)+
                    _ => None,
                }
            }
        }
    };
    (
        $(#[$meta:meta])*
        $vis:vis serde enum $name:ident {
            $($(#[$of:meta])* $member:ident => $word:tt),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $($(#[$of])* #[serde(rename = $word)] $member),+
        }
        $crate::words!(@table $vis $name $($member $word)+);
    };
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $($(#[$of:meta])* $member:ident $(= $code:literal)? => $word:tt),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $($(#[$of])* $member $(= $code)?),+
        }
        $crate::words!(@table $vis $name $($member $word)+);
    };
    (@table $vis:vis $name:ident $($member:ident $word:tt)+) => {
        #[allow(dead_code, reason = "not every set is listed, named and read")]
        impl $name {
            /// Every one, in the order of the list.
            $vis const ALL: [Self; [$($word),+].len()] = [$(Self::$member),+];

            /// The word of every one, in the order of the list.
            $vis const KEYS: [&'static str; [$($word),+].len()] = [$($word),+];

            /// The stable word.
            #[must_use]
            $vis const fn key(self) -> &'static str {
                match self {
                    $(Self::$member => $word),+
                }
            }

            /// The one of a word.
            #[must_use]
            $vis fn from_key(key: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.key() == key)
            }
        }
    };
}
