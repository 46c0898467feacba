"""Makes ``python -m twolayer_ext`` the ``twolayer`` command."""

from twolayer_command import main

raise SystemExit(main())
