module readings

go 1.24

// The checkout's own; a project of `forebay plugin new` has a copy beside the handler.
replace forebay => ../../../plugins/go

require forebay v0.0.0
