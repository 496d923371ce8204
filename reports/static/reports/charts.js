// The words of charts have the colour of the page's words. It is asked for whenever a chart is drawn, which the theme does
// again when it changes from light to dark.
const colourOfWords = () => getComputedStyle(document.body).color;

Chart.defaults.plugins.legend.labels.color = colourOfWords;
Chart.defaults.scale.ticks.color = colourOfWords;
