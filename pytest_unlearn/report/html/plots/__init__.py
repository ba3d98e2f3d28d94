"""Draw plots as inline SVG, coloured by the page's style sheet."""

from pytest_unlearn.report.html.plots.forest import Row as Row
from pytest_unlearn.report.html.plots.forest import forest as forest
from pytest_unlearn.report.html.plots.forest import row as row
from pytest_unlearn.report.html.plots.image import picture as picture
from pytest_unlearn.report.html.plots.lines import curves as curves
from pytest_unlearn.report.html.plots.lines import histograms as histograms
from pytest_unlearn.report.html.plots.svg import Drawing as Drawing
