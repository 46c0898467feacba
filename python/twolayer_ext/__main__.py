"""Makes ``python -m twolayer_ext`` the ``twolayer`` command."""

from twolayer_ext.cli import main

raise SystemExit(main())
