//! Whole-program tests of Stride live in `tests/it`, one module per topic. This library is empty: a package needs a target.
