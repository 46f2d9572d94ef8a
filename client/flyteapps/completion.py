"""Completion scripts of the command `flyteapps` for bash, zsh and fish.

The commands are written into the script; the options of each, and their values where it lists them, are read from its
`--help` when they are completed, as a command may be of any library and of another distribution.
"""

from __future__ import annotations

from collections.abc import Sequence

_OPTIONS = "grep -oE -- '--[a-z][a-z0-9-]*' | sort -u"

_VALUES = r"""sed -n 's/.*[[:space:]]'"$option"' \[\([a-z0-9|-]*\)\].*/\1/p' | tr '|' '\n'"""
"""The values of the option `$option`, where its help lists them, as in `--server [auto|pyvoy|portable]`."""

_BASH = """\
_flyteapps() {{
    local word="${{COMP_WORDS[COMP_CWORD]}}" option="${{COMP_WORDS[COMP_CWORD-1]}}"
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W "{words}" -- "$word"))
    elif [[ "$word" == -* ]]; then
        COMPREPLY=($(compgen -W "$(flyteapps "${{COMP_WORDS[1]}}" --help 2>/dev/null | {options})" -- "$word"))
    elif [[ "$option" == --* ]]; then
        COMPREPLY=($(compgen -W "$(flyteapps "${{COMP_WORDS[1]}}" --help 2>/dev/null | {values})" -- "$word"))
    fi
}}
complete -o default -F _flyteapps flyteapps
"""

_ZSH = """\
#compdef flyteapps
_flyteapps() {{
    local option="$words[CURRENT-1]"
    local -a values
    if (( CURRENT == 2 )); then
        compadd -- {words}
    elif [[ "$words[CURRENT]" == -* ]]; then
        compadd -- ${{(f)"$(flyteapps "$words[2]" --help 2>/dev/null | {options})"}}
    else
        [[ "$option" == --* ]] && values=(${{(f)"$(flyteapps "$words[2]" --help 2>/dev/null | {values})"}})
        if (( $#values )); then compadd -- $values; else _files; fi
    fi
}}
compdef _flyteapps flyteapps
"""

_FISH = """\
complete -c flyteapps -n __fish_use_subcommand -xa '{words}'
complete -c flyteapps -n 'not __fish_use_subcommand; and string match -q -- "-*" (commandline -ct)' \\
    -a '(flyteapps (commandline -opc)[2] --help 2>/dev/null | string match -ar -- "--[a-z][a-z0-9-]*" | sort -u)'
complete -c flyteapps -n 'not __fish_use_subcommand; and string match -q -- "--*" (commandline -opc)[-1]' \\
    -a '(set -l option (commandline -opc)[-1]; flyteapps (commandline -opc)[2] --help 2>/dev/null \\
        | string replace -rf -- ".*\\\\s$option \\\\[([a-z0-9|-]*)\\\\].*" "\\$1" | string split "|")'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str, words: Sequence[str]) -> str:
    """Return the script for a shell of SCRIPTS, which completes these words after `flyteapps`."""
    return SCRIPTS[shell].format(words=" ".join(words), options=_OPTIONS, values=_VALUES)
