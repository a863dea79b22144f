// The wave of a recording: bundled into static/vendor/wave.js.
import WaveSurfer from "wavesurfer.js";
import Regions from "wavesurfer.js/dist/plugins/regions.esm.js";
import Timeline from "wavesurfer.js/dist/plugins/timeline.esm.js";

window.Wave = { WaveSurfer, Regions, Timeline };
