// Front-channel logout: go on when every frame has answered, or after three seconds.
(() => {
  const onward = document.getElementById("logout-continue");
  const frames = [...document.querySelectorAll("iframe[data-logout]")];
  let open = frames.length;
  let gone = false;
  const go = () => {
    if (gone) return;
    gone = true;
    location.replace(onward.href);
  };
  const answered = () => {
    open -= 1;
    if (open <= 0) go();
  };
  for (const frame of frames) {
    frame.addEventListener("load", answered);
    frame.addEventListener("error", answered);
  }
  setTimeout(go, 3000);
})();
