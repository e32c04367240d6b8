"""The language, as Lark files: `program.lark` is the whole, the others are its parts."""
