//! The generated side of `wit/handler.wit`. Nothing outside this crate names it.

wit_bindgen::generate!({
    path: "../../wit",
    world: "pure",
    additional_derives: [PartialEq],
    generate_all,
    pub_export_macro: true,
    export_macro_name: "export_handler",
    default_bindings_module: "forebay_plugin::bindings",
});
