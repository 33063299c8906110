//! Closed lists of words: the same in the log, the metrics, the answer and the documents.

/// Declares an enum whose variants have a code, a sentence that says when it occurs (the
/// documentation of the variant) and one that says what to do.
macro_rules! closed_list {
    (
        $(#[$attribute:meta])*
        pub enum $list:ident {
            $($(#[doc = $when:literal])+ $name:ident = $code:literal, $what_to_do:literal;)+
        }
    ) => {
        $(#[$attribute])*
        pub enum $list {
            $($(#[doc = $when])+ #[serde(rename = $code)] $name,)+
        }

        impl $list {
            /// Every entry, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word for it.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),+ }
            }

            /// The sentence that says when it occurs.
            #[must_use]
            pub fn when(self) -> &'static str {
                match self { $(Self::$name => concat!($($when),+).trim()),+ }
            }

            /// The sentence that says what a person can do.
            #[must_use]
            pub fn what_to_do(self) -> &'static str {
                match self { $(Self::$name => $what_to_do),+ }
            }
        }

        impl ::std::fmt::Display for $list {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}

pub(super) use closed_list;
