//! The generated side of the contract: what calls of the handler's exports lower and lift, one module per world version.
//!
//! Only the exports are generated. The imports are written by hand (see `imports`), because they must read a guest's
//! strings without ever failing.

/// `forebay:handler@0.1.0`: messages are lowered straight from the record's bytes.
pub(crate) mod v0_1 {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package forebay:host;

            world handling {
                export forebay:handler/handler@0.1.0;
            }
        ",
        world: "forebay:host/handling",
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}
