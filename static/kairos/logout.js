// Front-channel logout: go on when every frame has answered, or after three seconds.
// Plain ECMAScript 5: this page has to lead on in any browser that runs scripts at all.
(function () {
  "use strict";
  var onward = document.getElementById("logout-continue");
  var frames = document.querySelectorAll("iframe[data-logout]");
  var open = frames.length;
  var gone = false;
  function go() {
    if (gone) return;
    gone = true;
    window.location.replace(onward.href);
  }
  function answered() {
    open -= 1;
    if (open <= 0) go();
  }
  for (var index = 0; index < frames.length; index += 1) {
    frames[index].addEventListener("load", answered);
    frames[index].addEventListener("error", answered);
  }
  if (!open) go();
  window.setTimeout(go, 3000);
})();
