"""The command that shows and empties the folder of compiled kernels."""

from __future__ import annotations

import click

from tensorcalc.cli.options import debug_option, json_option, to_json


@click.group("cache")
def cache_command() -> None:
    """Show or remove the compiled kernels that are kept on disk.

    They are in your cache folder; TENSORCALC_CACHE_DIR names another.

    \b
      tensorcalc cache info
      tensorcalc cache clear
    """  # noqa: D301  (click reads the character \b)


@cache_command.command("info")
@json_option
@debug_option
def info_command(as_json: bool) -> None:
    """Show where kernels are kept, how many, and how large they are."""
    from tensorcalc.emit import cache

    try:
        used, folders = cache.root(), cache.targets()
    except OSError as error:
        raise click.ClickException(str(error)) from None
    found = {"kernels": 0, "bytes": 0, "other_kernels": 0, "other_bytes": 0}
    for folder in folders:
        other = "" if folder == used else "other_"
        for path in cache.files(folder):
            found[f"{other}kernels"] += path.suffix == ".py"
            found[f"{other}bytes"] += path.stat().st_size
    if as_json:
        click.echo(to_json({"command": "cache info", "folder": str(used), **found}))
        return
    click.echo(f"folder   {used}")
    click.echo(f"kernels  {found['kernels']}, {found['bytes'] / 1e6:.1f} MB")
    click.echo(
        f"others   {found['other_kernels']}, {found['other_bytes'] / 1e6:.1f} MB "
        "(of other versions, processors or settings)"
    )


@cache_command.command("clear")
@debug_option
def clear_command() -> None:
    """Remove all kernels, those of other versions, too."""
    from tensorcalc.emit import cache

    try:
        count = cache.clear()
    except OSError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"removed {count} kernels", err=True)
