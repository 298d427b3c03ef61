"""The page and its API: `samepose serve`. One application over the library's own functions, see `app.create_app`."""
