"""How the page looks: one style sheet for light, dark and paper, and the few lines that switch between them."""

from __future__ import annotations

import re
from typing import Final

# Series: after Okabe & Ito, told apart by people who see fewer colours; dashes and marks tell them apart, too.
_LIGHT: Final = """--surface:#ffffff;--raised:#f6f8fa;--ink:#1b1f24;--muted:#57606a;--grid:#d8dee4;--land:#e4e9ee;
--gate:#a40e26;--pass:#116329;--fail:#a40e26;--thin:#7d4e00;--pass-ground:#dafbe1;--fail-ground:#ffebe9;--track:#e4e9ee;
--link:#0550ae;--series-1:#0072b2;--series-2:#d55e00;--series-3:#00805e;--series-4:#b5578e;--series-5:#6e4f9c;
--series-6:#7a5c00;--ramp-1:#dcebf7;--ramp-2:#b5d4ec;--ramp-3:#86b8dd;--ramp-4:#5598c9;--ramp-5:#2f78b0;
--ramp-6:#155a92;--ramp-7:#0b3c68"""
_DARK: Final = """--surface:#0f1419;--raised:#171d24;--ink:#e6edf3;--muted:#9da7b3;--grid:#303a45;--land:#252e38;
--gate:#ff7b72;--pass:#56d364;--fail:#ff7b72;--thin:#e3b341;--pass-ground:#12311b;--fail-ground:#3c1618;--track:#303a45;
--link:#79c0ff;--series-1:#56b4e9;--series-2:#ff9249;--series-3:#3fcf9f;--series-4:#e79cc6;--series-5:#b79ce6;
--series-6:#e0bd4a;--ramp-1:#132c44;--ramp-2:#1b4468;--ramp-3:#245784;--ramp-4:#2f6ea5;--ramp-5:#64a3d6;
--ramp-6:#98c8ee;--ramp-7:#d2e9fb"""

STYLE: Final = f"""
:root{{color-scheme:light;{_LIGHT}}}
@media screen and (prefers-color-scheme:dark){{:root:not([data-theme=light]){{color-scheme:dark;{_DARK}}}}}
@media screen{{:root[data-theme=dark]{{color-scheme:dark;{_DARK}}}}}
*{{box-sizing:border-box}}
html{{background:var(--surface);color:var(--ink);scroll-padding-top:1rem}}
body{{margin:0;font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans",Arial,sans-serif;
font-variant-numeric:tabular-nums}}
.page{{max-width:66rem;margin:0 auto;padding:0 1.5rem 4rem}}
.skip{{position:absolute;left:-99rem}}.skip:focus{{left:1rem;top:1rem;background:var(--surface);padding:.4rem}}
a{{color:var(--link)}}
h1{{font-size:1.7rem;line-height:1.2;margin:0 0 .35rem;letter-spacing:-.015em}}
h2{{font-size:1.3rem;line-height:1.25;margin:3.2rem 0 .7rem;padding-top:.9rem;
border-top:1px solid var(--grid);letter-spacing:-.01em}}
h3{{font-size:1rem;margin:1.9rem 0 .35rem}}
p,li{{max-width:46rem}}
header{{padding:2.2rem 0 1rem}}
.over{{color:var(--muted);margin:0 0 .4rem;font-size:.85rem;letter-spacing:.02em}}
.verdict{{display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;margin:.9rem 0 0}}
.badge{{display:inline-block;padding:.2rem .7rem;border-radius:1rem;font-weight:650;
border:1px solid transparent}}
.badge.pass{{color:var(--pass);background:var(--pass-ground)}}.badge.fail{{color:var(--fail);
background:var(--fail-ground)}}
.badge.plain{{color:var(--ink);border-color:var(--grid)}}
.badge .by{{font-weight:400}}
nav ul{{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;list-style:none;padding:0;margin:1.3rem 0 0;
font-size:.9rem}}
button{{font:inherit;font-size:.85rem;color:var(--ink);background:var(--raised);border:1px solid var(--grid);
border-radius:.4rem;
padding:.25rem .7rem;cursor:pointer;float:right}}
:focus-visible{{outline:2px solid var(--link);outline-offset:2px}}
.scroll{{overflow-x:auto;margin:1rem 0 .3rem}}
table{{border-collapse:collapse;font-size:.855rem;line-height:1.35}}
caption{{text-align:left;font-weight:650;padding:0 0 .4rem;font-size:.95rem}}
th,td{{text-align:left;padding:.34rem .8rem .34rem 0;border-bottom:1px solid var(--grid);vertical-align:top;
font-weight:400}}
thead th{{color:var(--muted);font-size:.8rem;vertical-align:bottom;border-bottom-color:var(--muted)}}
tbody th{{font-weight:600;white-space:nowrap}}
.n{{text-align:right}}
td.wrap{{overflow-wrap:anywhere;min-width:8rem}}
code{{font:.82em/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;
overflow-wrap:anywhere}}
.pass{{color:var(--pass)}}.fail{{color:var(--fail);font-weight:650}}.nothing{{color:var(--muted);
font-style:italic}}
.measured{{min-width:5.6rem}}.measured .value{{color:var(--ink)}}.measured.fail .value{{color:var(--fail)}}
.margin{{font-size:.76rem;color:var(--muted);white-space:nowrap;font-weight:400}}
.fail .margin{{color:var(--fail)}}
.bar{{display:block;height:4px;border-radius:2px;background:var(--track);margin:.2rem 0 0 auto;width:5.2rem;
overflow:hidden}}
.bar i{{display:block;height:100%;background:var(--ramp-5)}}.bar.thin i{{background:var(--thin)}}
.bar.out i{{background:repeating-linear-gradient(135deg,var(--fail) 0 3px,transparent 3px 5px)}}
.note{{color:var(--muted);font-size:.82rem;margin:.2rem 0 1.2rem}}
.plots{{display:grid;grid-template-columns:repeat(2,minmax(0,1fr));gap:0 2rem}}
figure{{margin:0 0 1rem;grid-column:1/-1;min-width:0}}figure.half{{grid-column:auto}}
figure h3{{margin-top:1.4rem}}
figcaption{{color:var(--muted);font-size:.855rem;max-width:46rem;margin-top:.3rem}}
svg.plot{{display:block;width:100%;height:auto}}svg.plot text{{font-family:inherit}}
details{{margin:.4rem 0 0;font-size:.855rem}}summary{{cursor:pointer;color:var(--link);width:max-content}}
.empty{{border:1px dashed var(--grid);border-radius:.4rem;padding:.9rem 1rem;color:var(--muted)}}
footer{{margin-top:3rem;padding-top:1rem;border-top:1px solid var(--grid);color:var(--muted);font-size:.85rem}}
@media (max-width:48rem){{.plots{{grid-template-columns:minmax(0,1fr)}}figure.half{{grid-column:1/-1}}
.page{{padding:0 1rem 3rem}}}}
@media print{{@page{{size:A4;margin:14mm 12mm}}body{{font-size:9.5pt}}.page{{max-width:none;padding:0}}
button,nav,.skip,summary,details:not(.kept){{display:none}}h2{{break-after:avoid;margin-top:1.6rem}}
h3,caption{{break-after:avoid}}
figure,tr,.bar{{break-inside:avoid}}.scroll{{overflow:visible}}table{{font-size:7.6pt}}
thead{{display:table-header-group}}
th,td{{padding:.22rem .5rem .22rem 0}}.measured{{min-width:0;white-space:nowrap}}.n{{white-space:nowrap}}
.bar{{width:3.2rem}}
*{{-webkit-print-color-adjust:exact;print-color-adjust:exact}}a{{color:inherit;text-decoration:none}}}}
""".strip()

SCRIPT: Final = (
    "(function(){var b=document.getElementById('theme'),r=document.documentElement;"
    "function dark(){return r.dataset.theme?r.dataset.theme==='dark':matchMedia('(prefers-color-scheme:dark)').matches}"
    "function told(){b.textContent=dark()?'Light':'Dark'}"
    "addEventListener('beforeprint',function(){document.querySelectorAll('details.kept')"
    ".forEach(function(d){d.open=true})});"
    "b.hidden=false;told();b.addEventListener('click',function(){r.dataset.theme=dark()?'light':'dark';told()})})()"
)


def standalone(svg: str) -> str:
    """A figure's ``<svg>`` element as a document: its size, and the light colours its parts are named by, on white."""
    opening, rest = svg.removeprefix("<svg ").split(">", 1)
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', opening)
    if box is None:
        raise ValueError("a figure without a size")
    width, height = (1.4 * float(side) for side in box.groups())
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
    style = f"<style>:root{{{_LIGHT}}} svg{{background:#fff;font-family:sans-serif}}</style>"
    return f"{head}{opening}>{style}{rest}"
