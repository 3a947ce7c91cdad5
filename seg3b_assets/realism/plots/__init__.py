"""The numbers behind the report's plots, one small frame each, computed once from a seed's published outputs.

They are evidence like the metrics and are kept with them, so that a report can be drawn again, elsewhere or
later, without the outputs. Nothing is drawn here and nothing is judged.
"""

from seg3b_assets.realism.plots.document import PLOT_FRAMES, PlotFrames, plot_frames, read_frames

__all__ = ["PLOT_FRAMES", "PlotFrames", "plot_frames", "read_frames"]
